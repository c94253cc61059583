import { request as requestPlain } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request as requestTls } from 'node:https';
import { UserError } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';

/** Basic credential of the panel, needed when the setting `httpApi` is `credential`. */
export interface Credential {
	user: string;
	password: Secret;
}

export interface ApiRequest {
	method: 'GET' | 'POST';
	path: string;
	timeoutMs: number;
	credential?: Credential | undefined;
	/** Ends the call before its time. */
	signal?: AbortSignal | undefined;
}

/** KumoMTA's HTTP API did not answer as it should; `isReached` tells "not there" from "said no". */
export class KumodError extends UserError {
	override name = 'KumodError';
	readonly isReached: boolean;
	readonly status: number | undefined;

	constructor(message: string, reason: string, status?: number) {
		super('PRECONDITION_FAILED', message, { reason });
		this.isReached = status !== undefined;
		this.status = status;
	}
}

/** An answer whose body is still to be read, or destroyed. */
export interface Answer {
	status: number;
	ok: boolean;
	body: IncomingMessage;
	/** Where it came from, for errors in its body. */
	base: string;
	/** Ends the body too. */
	ending: AbortSignal;
}

/**
 * One call to KumoMTA, on a connection of its own; redirects are not followed. Errors there are plain text
 * (docs/reference/http); here they become a KumodError. (`fetch` would cost the process 15 MB.)
 */
export function callKumod(base: string, { method, path, timeoutMs, credential, signal }: ApiRequest): Promise<Answer> {
	const headers: Record<string, string> = { accept: 'application/json, text/plain' };
	if (credential !== undefined) {
		const pair = Buffer.from(`${credential.user}:${credential.password.open()}`).toString('base64');
		headers.authorization = `Basic ${pair}`;
	}
	const inTime = AbortSignal.timeout(timeoutMs);
	const ending = signal === undefined ? inTime : AbortSignal.any([inTime, signal]);
	const send = base.startsWith('https:') ? requestTls : requestPlain;
	return new Promise((resolve, reject) => {
		send(base + path, { method, headers, signal: ending, agent: false }, (body) => {
			const status = body.statusCode ?? 0;
			// Whoever reads it gets the error; without a reader it must not end the process.
			body.on('error', () => {});
			resolve({ status, ok: status >= 200 && status < 300, body, base, ending });
		})
			.on('error', (error) => reject(unreachable(base, ending, error)))
			.end();
	});
}

/** The body as text, of which at most `maxBytes` are read. */
export async function readBounded(answer: Answer, maxBytes: number): Promise<string> {
	const parts: Uint8Array[] = [];
	let kept = 0;
	for await (const part of chunksOf(answer)) {
		parts.push(part.subarray(0, maxBytes - kept));
		kept += part.length;
		if (kept >= maxBytes) break;
	}
	return Buffer.concat(parts).toString('utf8');
}

/** The body in pieces; a connection that breaks or stalls becomes a KumodError. */
export async function* chunksOf({ body, base, ending }: Answer): AsyncGenerator<Uint8Array> {
	try {
		for await (const part of body) yield part as Uint8Array;
	} catch (error) {
		throw unreachable(base, ending, error);
	}
}

export async function expectOk(response: Answer, what: string): Promise<Answer> {
	if (response.ok) return response;
	const said = oneLine(await readBounded(response, 2048));
	throw new KumodError(
		`KumoMTA refused ${what} (HTTP ${response.status}${said === '' ? '' : `: ${said}`}). Nothing changed there. Look at its log.`,
		'kumomta-refused',
		response.status
	);
}

/** Text of a stranger as one line without control characters, at most 300 characters. */
export function oneLine(text: string): string {
	return text
		.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
		.trim()
		.slice(0, 300);
}

function unreachable(base: string, ending: AbortSignal, error: unknown): KumodError {
	const cause: unknown = ending.aborted ? ending.reason : error;
	const isTimeout = cause instanceof Error && cause.name === 'TimeoutError';
	const why = isTimeout ? 'it did not answer in time' : 'nothing answers there';
	return new KumodError(
		`KumoMTA cannot be reached at ${base}: ${why}. Nothing changed there. Look whether KumoMTA runs.`,
		'kumomta-unreachable'
	);
}
