import { randomUUID } from 'node:crypto';
import type { Handle, HandleServerError, RequestEvent, ServerInit } from '@sveltejs/kit';
import { sequence } from '@sveltejs/kit/hooks';
import { createTRPCHandle } from 'trpc-sveltekit';
import { openApp } from '$lib/server/app';
import type { App } from '$lib/server/app';
import { prepareSetupCode } from '$lib/server/auth/setup-code';
import { readEnv } from '$lib/server/core/env';
import { startJobs } from '$lib/server/core/schedule';
import type { Gate } from '$lib/server/core/trpc';
import { createGate } from '$lib/server/gate';
import { jobs } from '$lib/server/jobs';
import { closeCompiler } from '$lib/server/policy/compile';
import { closeSimulator } from '$lib/server/policy/simulate/service';
import { stopWatches } from '$lib/server/policy/watch-stop';
import { appRouter } from '$lib/server/router';

let app: App;
let gate: Gate;

/** Opens the app once, when the server starts; SvelteKit neither builds nor imports anything before it. */
export const init: ServerInit = async () => {
	app = await openApp(readEnv(process.env));
	gate = createGate(app);
	const stopJobs = startJobs(jobs(app), app.log);
	await announceSetup();
	process.once('sveltekit:shutdown', () => void close(stopJobs));
};

async function close(stopJobs: () => Promise<void>): Promise<void> {
	await stopWatches(app.db);
	// A KumoMTA that stalls does not hold up the end.
	app.metrics.close();
	await stopJobs();
	await closeSimulator(app);
	await closeCompiler(app);
	app.close();
}

async function announceSetup(): Promise<void> {
	const setup = await prepareSetupCode(app);
	if (setup === null) return;
	// The one secret that may be printed: on a terminal only, and only until the first account exists.
	const lines = process.stdout.isTTY
		? [`Setup code: ${setup.code}`, `(also in ${setup.file})`]
		: [`Setup code: in ${setup.file}`];
	process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

/** Nothing thrown below escapes: SvelteKit calls hooks outside its own guard when a path does not decode. */
const nothingEscapes: Handle = async ({ event, resolve }) => {
	try {
		event.locals.app = app;
		return await resolve(event);
	} catch (error) {
		app.log.error('request failed', { path: event.url.pathname.slice(0, 200), requestId: requestIdOf(event), error });
		return new Response('Internal error', { status: 500 });
	}
};

const maxBatch = 20;

/** What createTRPCHandle leaves open: methods, oversized bodies, and batches that hide a hundred calls in one request. */
const trpcGuard: Handle = async ({ event, resolve }) => {
	if (!event.url.pathname.startsWith('/trpc/')) return resolve(event);
	if (event.request.method !== 'GET' && event.request.method !== 'POST') {
		return refusal(event, {
			status: 405,
			code: 'METHOD_NOT_SUPPORTED',
			message: 'Call procedures with GET or POST.',
			headers: { allow: 'GET, POST' }
		});
	}
	if (event.url.pathname.replaceAll(/%2c/gi, ',').split(',').length > maxBatch) {
		return refusal(event, {
			status: 400,
			code: 'BAD_REQUEST',
			message: `A batch holds at most ${maxBatch} calls. Nothing was run. Send them in several batches.`
		});
	}
	try {
		return await resolve(event);
	} catch (error) {
		if ((error as { status?: unknown }).status !== 413) throw error;
		return refusal(event, {
			status: 413,
			code: 'PAYLOAD_TOO_LARGE',
			message: 'The request is larger than 512 KB. Nothing was run. Send it in parts.'
		});
	}
};

const jsonRpcCodes: Record<string, number> = {
	METHOD_NOT_SUPPORTED: -32005,
	BAD_REQUEST: -32600,
	PAYLOAD_TOO_LARGE: -32013
};

function refusal(
	event: RequestEvent,
	{
		status,
		code,
		message,
		headers = {}
	}: { status: number; code: string; message: string; headers?: Record<string, string> }
): Response {
	const data = { code, httpStatus: status, requestId: requestIdOf(event) };
	return Response.json(
		{ error: { message, code: jsonRpcCodes[code], data } },
		{ status, headers: { 'cache-control': 'no-store', ...headers } }
	);
}

const trpc = createTRPCHandle({
	router: appRouter,
	url: '/trpc',
	createContext: async (event) => ({
		app,
		gate,
		requestId: requestIdOf(event),
		address: event.platform?.req.clientAddress ?? addressOf(event),
		userAgent: (event.request.headers.get('user-agent') ?? '').replaceAll(/[^\x20-\x7e]/g, '').slice(0, 200),
		token: /^Bearer ([A-Za-z0-9_-]{43})$/.exec(event.request.headers.get('authorization') ?? '')?.[1] ?? null,
		local: null
	}),
	responseMeta: () => ({ headers: { 'cache-control': 'no-store' } })
});

export const handle = sequence(nothingEscapes, trpcGuard, trpc);

export const handleError: HandleServerError = ({ error, event, status }) => {
	if (status === 404) return { message: 'There is no such page.' };
	// A stranger's nonsense is no error of ours, and must not fill the log.
	if (status < 500) return { message: 'The server does not understand this request. Nothing was changed.' };
	app.log.error('page failed', { path: event.url.pathname.slice(0, 200), requestId: requestIdOf(event), error });
	return { message: `Something went wrong on the server. Look for request ${requestIdOf(event)} in the server's log.` };
};

function requestIdOf(event: RequestEvent): string {
	const request = event.platform?.req;
	return request === undefined ? randomUUID() : (request.requestId ??= randomUUID());
}

function addressOf(event: RequestEvent): string | null {
	try {
		return event.getClientAddress();
	} catch {
		return null;
	}
}
