import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { answerRequest, closeStream, openStream, StreamError } from './hrana-stream.ts';
import type { HranaRequest, HranaStream } from './hrana-stream.ts';

/**
 * A double of a libSQL server for tests: not sqld. It speaks the Hrana protocol over HTTP, versions 2 and 3, in JSON
 * (https://github.com/tursodatabase/libsql/blob/main/docs/HRANA_3_SPEC.md), without cursors and Protobuf, from a file of its
 * own with one connection for each stream. It tells errors as sqld does: the primary SQLite code and a text.
 */
export interface LibsqlDouble {
	url: string;
	token: string;
	/** Of each pipeline that was let in: its kinds of requests, as `execute close`. */
	pipelines: string[];
	script: LibsqlScript;
	/** Streams that a later request may name. */
	openStreams: () => number;
	/** Ends all streams, and their transactions, as idleness does on a server. */
	expireStreams: () => void;
	/** The process dies: connections break, transactions are gone, nobody listens. */
	stop: () => Promise<void>;
	/** On the same port and file. */
	start: () => Promise<void>;
}

export interface LibsqlScript {
	/** Requests are run but never answered. */
	isSilent?: boolean;
	/** Every request is answered with this HTTP status. */
	status?: number | undefined;
	/** How long a statement waits for another stream's transaction; 5 seconds unless told. */
	busyTimeoutMs?: number;
	/** Runs before each request of a pipeline; may stop the server. */
	onRequest?: ((request: HranaRequest) => void) | undefined;
}

export interface LibsqlDoubleOptions {
	/** Where its file lies, apart from the panel's. */
	directory: string;
	/** Whether each connection enforces foreign keys, as sqld does. */
	foreignKeys?: boolean;
}

export async function startLibsqlDouble({ directory, foreignKeys = true }: LibsqlDoubleOptions): Promise<LibsqlDouble> {
	const file = join(directory, 'server.db');
	const token = 'token-of-the-libsql-double';
	const pipelines: string[] = [];
	const script: LibsqlScript = {};
	const streams = new Map<string, HranaStream>();
	const expireStreams = () => {
		for (const stream of streams.values()) closeStream(stream);
		streams.clear();
	};

	async function run(version: number, body: Pipeline): Promise<unknown> {
		const stream = taken(streams, body.baton ?? null) ?? openStream(file, { foreignKeys, version });
		pipelines.push(body.requests.map(({ type }) => type).join(' '));
		const results: unknown[] = [];
		try {
			for (const request of body.requests) {
				script.onRequest?.(request);
				results.push(await answerRequest(stream, request, script.busyTimeoutMs));
			}
		} catch (error) {
			closeStream(stream);
			throw error;
		}
		if (!stream.isOpen) return { baton: null, base_url: null, results };
		const baton = crypto.randomUUID();
		streams.set(baton, stream);
		return { baton, base_url: null, results };
	}

	const answer = async (request: IncomingMessage, response: ServerResponse) => {
		const version = /^\/v([23])(\/pipeline)?$/.exec(request.url ?? '');
		if (script.status !== undefined) return send(response, script.status, { error: 'as the test wants it' });
		if (version === null) return send(response, 404, {});
		if (request.method === 'GET' && version[2] === undefined) return send(response, 200, {});
		if (request.headers.authorization !== `Bearer ${token}`)
			return send(response, 401, { error: `not valid: ${request.headers.authorization}` });
		const result = await run(Number(version[1]), await bodyOf(request));
		if (!script.isSilent) send(response, 200, result);
	};

	let server = createServer();
	let port = 0;
	async function start(): Promise<void> {
		server = createServer((request, response) => {
			answer(request, response).catch((error: unknown) => fail(response, error));
		});
		await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
		port = (server.address() as AddressInfo).port;
	}
	await start();
	return {
		url: `http://127.0.0.1:${port}`,
		token,
		pipelines,
		script,
		openStreams: () => streams.size,
		expireStreams,
		stop: () => stopServer(server).then(expireStreams),
		start
	};
}

interface Pipeline {
	baton?: string | null;
	requests: HranaRequest[];
}

/** A baton is good for one request. */
function taken(streams: Map<string, HranaStream>, baton: string | null): HranaStream | undefined {
	if (baton === null) return undefined;
	const stream = streams.get(baton);
	if (stream === undefined) throw new StreamError('The stream has expired due to inactivity');
	streams.delete(baton);
	return stream;
}

async function bodyOf(request: IncomingMessage): Promise<Pipeline> {
	const parts: Buffer[] = [];
	for await (const part of request) parts.push(part as Buffer);
	return JSON.parse(Buffer.concat(parts).toString('utf8')) as Pipeline;
}

function send(response: ServerResponse, status: number, body: unknown): void {
	// A kept connection that the client does not yet know to be dead would make the first call after a restart a lottery.
	response.writeHead(status, { 'content-type': 'application/json', connection: 'close' }).end(JSON.stringify(body));
}

function fail(response: ServerResponse, error: unknown): void {
	const isOurs = error instanceof StreamError;
	response.writeHead(isOurs ? 400 : 500, { 'content-type': 'text/plain' }).end(String(isOurs ? error.message : error));
}

function stopServer(server: Server): Promise<void> {
	return new Promise((resolve) => {
		server.close(() => resolve());
		server.closeAllConnections();
	});
}
