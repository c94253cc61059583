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

/**
 * One call to KumoMTA. Errors there are plain text (docs/reference/http); here they become a KumodError.
 * @returns the response with its body unread; the caller bounds what it reads.
 */
export async function callKumod(
	base: string,
	{ method, path, timeoutMs, credential, signal }: ApiRequest
): Promise<Response> {
	const headers: Record<string, string> = { accept: 'application/json, text/plain' };
	if (credential !== undefined) {
		const pair = Buffer.from(`${credential.user}:${credential.password.open()}`).toString('base64');
		headers.authorization = `Basic ${pair}`;
	}
	const inTime = AbortSignal.timeout(timeoutMs);
	const ending = signal === undefined ? inTime : AbortSignal.any([inTime, signal]);
	try {
		return await fetch(base + path, { method, headers, redirect: 'error', signal: ending });
	} catch (error) {
		throw unreachable(base, error);
	}
}

/** The body as text, of which at most `maxBytes` are read. */
export async function readBounded(response: Response, maxBytes: number): Promise<string> {
	const parts: Uint8Array[] = [];
	let kept = 0;
	for await (const part of chunksOf(response)) {
		parts.push(part.subarray(0, maxBytes - kept));
		kept += part.length;
		if (kept >= maxBytes) break;
	}
	return Buffer.concat(parts).toString('utf8');
}

/** The body in pieces; a connection that breaks or stalls becomes a KumodError. */
export async function* chunksOf(response: Response): AsyncGenerator<Uint8Array> {
	if (response.body === null) return;
	try {
		for await (const part of response.body) yield part;
	} catch (error) {
		throw unreachable(new URL(response.url).origin, error);
	}
}

export async function expectOk(response: Response, what: string): Promise<Response> {
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

function unreachable(base: string, error: unknown): KumodError {
	const isTimeout = error instanceof Error && error.name === 'TimeoutError';
	const why = isTimeout ? 'it did not answer in time' : 'nothing answers there';
	return new KumodError(
		`KumoMTA cannot be reached at ${base}: ${why}. Nothing changed there. Look whether KumoMTA runs.`,
		'kumomta-unreachable'
	);
}
