import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { clientAddress } from './src/lib/server/core/client-address.ts';
import { readEnv } from './src/lib/server/core/env.ts';
import type { Env } from './src/lib/server/core/env.ts';

/**
 * The process: adapter-node's handler wrapped in headers, request ids and a graceful end. The app itself opens in
 * src/hooks.server.ts; of lib/server only pure readers are used here, since a second copy of the rest would
 * not know the first one's classes.
 */

type Handler = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;
type TaggedRequest = IncomingMessage & { clientAddress?: string; requestId?: string };

const bodyLimit = 512 * 1024;

async function main(): Promise<void> {
	const env = readEnv(process.env);
	process.umask(0o077);
	Object.assign(process.env, { NODE_ENV: 'production', ORIGIN: env.origin, BODY_SIZE_LIMIT: String(bodyLimit) });
	const entry = new URL('./handler.js', import.meta.url).href;
	const { handler } = (await import(/* @vite-ignore */ entry)) as { handler: Handler };
	// Node's own refusals (no Host, an unknown Expect) would leave without the headers.
	const server = createServer({ requireHostHeader: false }, (request, response) =>
		serve(env, handler, request, response)
	);
	server.on('checkExpectation', (request, response) =>
		serve(env, (_, answer) => answer.writeHead(417).end(), request, response)
	);
	server.on('clientError', refuse);
	server.headersTimeout = 20_000;
	server.requestTimeout = 60_000;
	await new Promise<void>((resolve, reject) => server.once('error', reject).listen(env.port, env.host, resolve));
	const bound = server.address();
	const port = typeof bound === 'object' && bound !== null ? bound.port : env.port;
	process.stdout.write(
		`KumoMTA UI is ready at ${env.port === 0 ? env.origin.replace(/:0$/, `:${port}`) : env.origin}\n`
	);
	stopOnSignal(server);
}

function serve(env: Env, handler: Handler, request: TaggedRequest, response: ServerResponse): void {
	request.requestId = randomUUID();
	if (env.trustedProxies.length === 0 && request.headers['x-forwarded-for'] !== undefined) warnOfProxy();
	const peer = request.socket.remoteAddress ?? 'unknown';
	request.clientAddress = clientAddress(env.trustedProxies, peer, request.headers['x-forwarded-for']?.toString());
	for (const [name, value] of Object.entries(headers(env))) response.setHeader(name, value);
	response.setHeader('X-Request-Id', request.requestId);
	response.once('close', () => closing && listening?.closeIdleConnections());
	handler(request, response, () => response.writeHead(404).end('Not found'));
}

let isWarned = false;

/** Once: behind a proxy that is not named, one visitor can use up the tries of all. */
function warnOfProxy(): void {
	if (isWarned) return;
	isWarned = true;
	const line = {
		at: new Date().toISOString(),
		level: 'warn',
		event: 'proxy not trusted',
		what: 'A request came with X-Forwarded-For, but TRUSTED_PROXY is not set: all visitors behind a proxy count as one. Set TRUSTED_PROXY to its address.'
	};
	process.stderr.write(`${JSON.stringify(line)}\n`);
}

/** On every answer: pages, API, assets and errors. SvelteKit puts a page's own policy with its nonce in place of this one. */
function headers(env: Env): Record<string, string> {
	return {
		'X-Content-Type-Options': 'nosniff',
		'X-Frame-Options': 'DENY',
		'X-XSS-Protection': '1; mode=block',
		'Referrer-Policy': 'strict-origin-when-cross-origin',
		'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
		'Permissions-Policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
		'Cross-Origin-Opener-Policy': 'same-origin',
		'Cross-Origin-Resource-Policy': 'same-origin',
		...(env.origin.startsWith('https:') && { 'Strict-Transport-Security': 'max-age=31536000; includeSubDomains' })
	};
}

/** The parser's own refusals never reach the handler; they carry the headers all the same. */
function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
	if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
	const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
	socket.end(
		`HTTP/1.1 ${status}\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nX-XSS-Protection: 1; mode=block\r\nReferrer-Policy: strict-origin-when-cross-origin\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`
	);
}

let closing = false;
let listening: Server | undefined;

/** Refuses new connections, lets running requests end (five seconds), then closes the app. */
function stopOnSignal(server: Server): void {
	listening = server;
	const stop = () => {
		if (closing) return;
		closing = true;
		server.close(() => process.emit('sveltekit:shutdown' as never));
		server.closeIdleConnections();
		setTimeout(() => server.closeAllConnections(), 5000).unref();
		setTimeout(() => process.exit(1), 15_000).unref();
	};
	process.once('SIGTERM', stop);
	process.once('SIGINT', stop);
}

main().catch((error: unknown) => {
	const { name, message, stack, code } = error as NodeJS.ErrnoException;
	const expected = ['EnvError', 'SealError', 'MigrationError'].includes(name);
	if (code === 'EADDRINUSE')
		process.stderr.write(
			'The port is taken by another process. Nothing was started. Stop that process, or set PORT to another number.\n'
		);
	else process.stderr.write(expected ? `${message}\n` : `${stack ?? message}\n`);
	process.exit(1);
});
