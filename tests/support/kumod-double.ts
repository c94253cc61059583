import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { join } from 'node:path';
import { createSecureContext, TLSSocket } from 'node:tls';

/**
 * A double of KumoMTA for tests: not KumoMTA. It answers the few endpoints the panel uses, greets on SMTP listeners, and
 * fails as it is told. Anything it was not made for is an error of the test.
 */
export interface KumodDouble {
	url: string;
	/** Method and path of every request, in order. */
	requests: string[];
	script: KumodScript;
	close: () => Promise<void>;
}

export interface KumodScript {
	/** 503 with this text instead of 200. */
	notAlive?: string | undefined;
	/** The epoch endpoint answers 500 with this text. */
	bumpFails?: string | undefined;
	/** New contexts are made at each bump unless this is set. */
	loadsNothing?: boolean;
	luaLoadCount: number;
	version: string;
	credential?: string | undefined;
	/** Runs at each bump. */
	onBump?: (() => void) | undefined;
}

export async function startKumodDouble(): Promise<KumodDouble> {
	const script: KumodScript = { luaLoadCount: 3, version: '2026.03.04-bb93ecb1' };
	const requests: string[] = [];
	const server = createHttpServer((request, response) => {
		requests.push(`${request.method} ${request.url}`);
		answer(script, request, response);
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const { port } = server.address() as AddressInfo;
	return {
		url: `http://127.0.0.1:${port}`,
		requests,
		script,
		close: () =>
			new Promise((resolve) => {
				server.closeAllConnections();
				server.close(() => resolve());
			})
	};
}

function answer(script: KumodScript, request: IncomingMessage, response: ServerResponse): void {
	const send = (status: number, text: string) => response.writeHead(status).end(text);
	const isOpen = request.url === '/api/check-liveness/v1';
	const basic = `Basic ${Buffer.from(`kumomta-ui:${script.credential}`).toString('base64')}`;
	if (!isOpen && script.credential !== undefined && request.headers.authorization !== basic)
		return void send(401, 'not permitted');
	switch (`${request.method} ${request.url}`) {
		case 'GET /api/check-liveness/v1':
			return void (script.notAlive === undefined ? send(200, 'OK') : send(503, script.notAlive));
		case 'POST /api/admin/bump-config-epoch':
			script.onBump?.();
			if (script.bumpFails !== undefined) return void send(500, script.bumpFails);
			if (!script.loadsNothing) script.luaLoadCount += 1;
			return void send(200, '');
		case 'GET /api/machine-info':
			return void send(200, JSON.stringify({ node_id: 'x', hostname: 'mta', version: script.version }));
		case 'GET /metrics':
			return void send(200, metricsText(script.luaLoadCount));
		default:
			return void send(404, 'the double knows no such endpoint');
	}
}

/** With a label as hostile clients make them: unescaped quotes and braces. */
function metricsText(loads: number): string {
	return [
		'# HELP lua_load_count how many times the policy lua script has been loaded into a new context',
		'# TYPE lua_load_count counter',
		'scheduled_count{queue="a"b}c@example.com"} 5',
		'no value here',
		`lua_load_count ${loads}`,
		''
	].join('\n');
}

export interface SmtpDouble {
	port: number;
	close: () => Promise<void>;
}

/** A listener that greets; `behaviour` says how it fails. The certificate is made by openssl(1) for this run. */
export async function startSmtpDouble(
	behaviour: 'greets' | 'no-starttls' | 'silent' | 'refuses' | 'broken-tls',
	certificate?: { key: string; cert: string }
): Promise<SmtpDouble> {
	const sockets = new Set<Socket>();
	const server: Server = createTcpServer((socket) => {
		sockets.add(socket);
		socket.on('error', () => {}).on('close', () => sockets.delete(socket));
		if (behaviour === 'silent') return;
		if (behaviour === 'refuses') return void socket.end('421 4.3.0 mta technical difficulties\r\n');
		socket.write('220 mta.example.net KumoMTA\r\n');
		converse(socket, behaviour, certificate);
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	return {
		port: (server.address() as AddressInfo).port,
		close: () =>
			new Promise((resolve) => {
				for (const socket of sockets) socket.destroy();
				server.close(() => resolve());
			})
	};
}

function converse(socket: Socket, behaviour: string, certificate?: { key: string; cert: string }): void {
	const isTls = socket instanceof TLSSocket;
	socket.on('data', (part: Buffer) => {
		const line = part.toString('latin1').trim().toUpperCase();
		if (line.startsWith('EHLO')) {
			const starttls = behaviour === 'no-starttls' || isTls ? '' : '250-STARTTLS\r\n';
			socket.write(`250-mta.example.net\r\n${starttls}250 PIPELINING\r\n`);
		} else if (line === 'STARTTLS') {
			socket.removeAllListeners('data');
			socket.write('220 ready\r\n', () => {
				if (behaviour === 'broken-tls') return void socket.end('not tls at all');
				const secure = new TLSSocket(socket, { isServer: true, secureContext: createSecureContext(certificate) });
				secure.on('error', () => {});
				converse(secure, behaviour);
			});
		} else if (line === 'QUIT') socket.end('221 bye\r\n');
		else socket.write('502 the double does not know this\r\n');
	});
}

/** A self-signed certificate for the time of a test. */
export function makeCertificate(directory: string, name = 'mta.example.net', days = 90): { key: string; cert: string } {
	const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
	const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`];
	const made = [
		'req',
		'-x509',
		'-newkey',
		'ec',
		'-pkeyopt',
		'ec_paramgen_curve:P-256',
		'-nodes',
		'-days',
		String(days)
	];
	execFileSync('openssl', [...made, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' });
	return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
}

export interface FakeKumod {
	/** Path of the executable. */
	bin: string;
	/** Arguments of every call, in order. */
	calls(): string[][];
	/** What the next calls do. */
	set(behaviour: Partial<FakeKumodBehaviour>): void;
}

export interface FakeKumodBehaviour {
	version: string;
	/** Exit code of `--validate`; `signal`: kills itself; `hang`: never ends and ignores SIGTERM. */
	validate: number | 'signal' | 'hang';
	stdout: string;
	stderr: string;
}

/** A `kumod` that is a script: it knows `--version` and `--validate` and does what it was told. */
export function makeFakeKumod(directory: string): FakeKumod {
	const bin = join(directory, 'kumod');
	const [behaviourFile, callsFile] = [join(directory, 'kumod.behaviour.json'), join(directory, 'kumod.calls')];
	let behaviour: FakeKumodBehaviour = { version: '2026.03.04-bb93ecb1', validate: 0, stdout: '', stderr: '' };
	const set = (changes: Partial<FakeKumodBehaviour>) => {
		behaviour = { ...behaviour, ...changes };
		writeFileSync(behaviourFile, JSON.stringify(behaviour));
	};
	set({});
	writeFileSync(
		bin,
		`#!${process.execPath}
const { appendFileSync, readFileSync } = require('node:fs');
const args = process.argv.slice(2);
appendFileSync(${JSON.stringify(callsFile)}, JSON.stringify(args) + '\\n');
const told = JSON.parse(readFileSync(${JSON.stringify(behaviourFile)}, 'utf8'));
if (args[0] === '--version') console.log('kumod ' + told.version);
else if (args.includes('--validate')) {
	readFileSync(args[args.indexOf('--policy') + 1]);
	process.stdout.write(told.stdout);
	process.stderr.write(told.stderr);
	if (told.validate === 'hang') {
		process.on('SIGTERM', () => {});
		setInterval(() => {}, 1000);
	} else if (told.validate === 'signal') process.kill(process.pid, 'SIGSEGV');
	else process.exitCode = told.validate;
} else process.exitCode = 2;
`
	);
	chmodSync(bin, 0o755);
	const calls = () =>
		existsSync(callsFile)
			? readFileSync(callsFile, 'utf8')
					.trim()
					.split('\n')
					.map((line) => JSON.parse(line) as string[])
			: [];
	return { bin, calls, set };
}
