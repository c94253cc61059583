import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * A double of KumoMTA's HTTP API: not KumoMTA. It answers the endpoints that the panel uses and fails as it is told; a call
 * of anything else is an error of the test, which `close` reports.
 */
export interface KumodDouble {
	url: string;
	port: number;
	/** Method and path of every request, in order. */
	requests: string[];
	script: KumodScript;
	close: () => Promise<void>;
}

export interface KumodScript {
	/** 503 with this text instead of 200. */
	notAlive?: string | undefined;
	/** So many more times it says that it still reads its spool. */
	startsSlowly: number;
	/** The epoch endpoint answers 500 with this text. */
	bumpFails?: string | undefined;
	/** New contexts are made at each bump unless this is set. */
	loadsNothing?: boolean;
	luaLoadCount: number;
	/** Series as in `total_messages_received{service="esmtp_listener"}`, and what they stand at. */
	counters: Record<string, number>;
	/** What `/metrics` answers instead of the counters; `stalls`: half a line, and then nothing. */
	metrics?: { status: number; text: string } | 'stalls' | 'breaks' | undefined;
	version: string;
	/** When its process started. */
	onlineSince: string;
	credential?: string | undefined;
	/** Runs at each bump. */
	onBump?: (() => void) | undefined;
}

/** Starts it on a free port, or on the one it had before. */
export async function startKumodDouble(at = 0): Promise<KumodDouble> {
	const script: KumodScript = {
		startsSlowly: 0,
		luaLoadCount: 3,
		counters: {},
		version: '2026.03.04-bb93ecb1',
		onlineSince: '2026-01-05T12:00:00Z'
	};
	const requests: string[] = [];
	const unknown: string[] = [];
	const server = createServer((request, response) => {
		const asked = `${request.method} ${request.url}`;
		requests.push(asked);
		const answer = answers[asked];
		if (answer === undefined) unknown.push(asked);
		if (answer === undefined) response.writeHead(404).end('the double knows no such endpoint');
		else if (!isPermitted(script, request)) response.writeHead(401).end('not permitted');
		else answer(script, response);
	});
	await new Promise<void>((resolve) => server.listen(at, '127.0.0.1', resolve));
	const { port } = server.address() as AddressInfo;
	async function close(): Promise<void> {
		await new Promise<void>((resolve) => {
			server.close(() => resolve());
			server.closeAllConnections();
		});
		if (unknown.length > 0) throw new Error(`The double was asked for what it was not made for: ${unknown.join(', ')}`);
	}
	return { url: `http://127.0.0.1:${port}`, port, requests, script, close };
}

function isPermitted({ credential }: KumodScript, { url, headers }: IncomingMessage): boolean {
	if (url === '/api/check-liveness/v1' || credential === undefined) return true;
	return headers.authorization === `Basic ${Buffer.from(`kumomta-ui:${credential}`).toString('base64')}`;
}

const answers: Record<string, (script: KumodScript, response: ServerResponse) => void> = {
	'GET /api/check-liveness/v1'(script, response) {
		const reason = script.startsSlowly > 0 ? 'waiting for spool startup' : script.notAlive;
		script.startsSlowly = Math.max(0, script.startsSlowly - 1);
		response.writeHead(reason === undefined ? 200 : 503).end(reason ?? 'OK');
	},
	'POST /api/admin/bump-config-epoch'(script, response) {
		script.onBump?.();
		if (script.bumpFails !== undefined) return void response.writeHead(500).end(script.bumpFails);
		if (!script.loadsNothing) script.luaLoadCount += 1;
		response.writeHead(200).end();
	},
	'GET /api/machine-info'(script, response) {
		response
			.writeHead(200, { 'content-type': 'application/json' })
			.end(JSON.stringify({ ...machine, version: script.version, online_since: script.onlineSince }));
	},
	'GET /metrics'(script, response) {
		if (typeof script.metrics === 'object')
			return void response.writeHead(script.metrics.status).end(script.metrics.text);
		response.writeHead(200, { 'content-type': 'text/plain' });
		const text = metricsText(script);
		if (script.metrics === undefined) return void response.end(text);
		response.write(text.slice(0, text.length / 2), () => {
			if (script.metrics === 'breaks') response.destroy();
		});
	}
};

const machine = {
	node_id: '6f0c1f0e-6d0c-4c7e-9d0f-000000000001',
	hostname: 'mta.example.net',
	mac_address: '02:00:00:00:00:01',
	num_cores: 4,
	kernel_version: null,
	platform: 'linux/x86_64',
	distribution: 'debian',
	os_version: 'Debian 12',
	total_memory_bytes: 8_589_934_592,
	container_runtime: null,
	cpu_brand: 'double',
	fingerprint: 'double',
	process_kind: 'kumod'
};

/** With a label as hostile clients make them: unescaped quotes and braces. */
function metricsText({ luaLoadCount, counters }: KumodScript): string {
	return [
		'# HELP lua_load_count how many times the policy lua script has been loaded into a new context',
		'# TYPE lua_load_count counter',
		`lua_load_count ${luaLoadCount}`,
		'# TYPE scheduled_count gauge',
		'scheduled_count{queue="a"b}c@example.com"} 5',
		'no value here',
		...Object.entries(counters).map(([series, value]) => `${series} ${value}`),
		''
	].join('\n');
}
