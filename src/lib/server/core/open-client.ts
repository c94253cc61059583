import type { Client } from '@libsql/client';
import { EnvError } from './env.ts';

/** How long a libSQL server may take for one answer before it counts as lost. */
const answerTimeoutMs = 30_000;

/** The libSQL server can't be reached, or lets the panel in no more. Whether the last write took effect is not known. */
export class DatabaseUnreachable extends Error {
	override name = 'DatabaseUnreachable';
	readonly code: 'DATABASE_UNREACHABLE' | 'DATABASE_DENIED';

	constructor(code: DatabaseUnreachable['code'], cause?: unknown) {
		super('The libSQL server does not answer as it should. Look at that server and at DATABASE_URL.', { cause });
		this.code = code;
	}
}

/**
 * A client of an embedded file or of a libSQL server, after one statement that proves it usable.
 * @throws EnvError when it is not: one sentence for the operator, without the URL and the token.
 */
export async function openClient(
	url: string,
	{ authToken, timeoutMs = answerTimeoutMs }: { authToken?: string | undefined; timeoutMs?: number | undefined }
): Promise<Client> {
	let client: Client | undefined;
	try {
		client = await (url.startsWith('file:') ? openFile(url) : openRemote(url, authToken, timeoutMs));
		await assertForeignKeys(client);
		return client;
	} catch (error) {
		client?.close();
		throw asRefusal(error);
	}
}

async function openFile(url: string): Promise<Client> {
	const { createClient } = await import('@libsql/client/sqlite3');
	const client = createClient({ url, timeout: 5000 });
	await client.execute('PRAGMA journal_mode = WAL');
	return client;
}

async function openRemote(url: string, authToken: string | undefined, timeoutMs: number): Promise<Client> {
	const { createClient } = await import('@libsql/client/http');
	return createClient({ url, authToken, fetch: (request: Request) => send(request, timeoutMs) });
}

/** Without a limit the one write queue would stand behind a lost answer; the body of a refusal may repeat the token. */
async function send(request: Request, timeoutMs: number): Promise<Response> {
	const response = await fetch(request, { signal: AbortSignal.timeout(timeoutMs) }).catch((error: unknown) => {
		throw new DatabaseUnreachable('DATABASE_UNREACHABLE', error);
	});
	if (response.status !== 401 && response.status !== 403) return response;
	await response.body?.cancel();
	throw new DatabaseUnreachable('DATABASE_DENIED');
}

/** Both kinds turn them on by build; a database without them would keep rows that point nowhere. */
async function assertForeignKeys(client: Client): Promise<void> {
	const { rows } = await client.execute('PRAGMA foreign_keys');
	if (rows[0]?.[0] === 1) return;
	throw new EnvError(
		'The database that DATABASE_URL names does not enforce foreign keys. Nothing was started or changed. Turn them on for every connection of that server, or name another one.'
	);
}

const refusals: Record<string, string> = {
	DATABASE_UNREACHABLE:
		'The libSQL server that DATABASE_URL names does not answer. Nothing was started. Start that server, or correct DATABASE_URL.',
	DATABASE_DENIED:
		'The libSQL server that DATABASE_URL names does not accept DATABASE_AUTH_TOKEN. Nothing was started. Set it to a token that this server accepts for reading and writing.',
	URL_INVALID:
		'The environment variable DATABASE_URL is not usable: the libSQL client does not understand it. Nothing was started. Correct it and start again.',
	SQLITE_CANTOPEN:
		'The database file can neither be opened nor made. Nothing was started. Make its directory, or let the user of the panel write there; DATABASE_URL or DATA_DIR names it.',
	SQLITE_NOTADB:
		'The database file is not a database. Nothing was started or changed. Restore a backup, or name another file in DATABASE_URL.',
	SERVER_ERROR:
		'What DATABASE_URL names does not answer like a libSQL server. Nothing was started. Look at that server, or correct DATABASE_URL.'
};

function asRefusal(error: unknown): unknown {
	const text = refusals[codeOf(error)];
	return text === undefined ? error : new EnvError(text);
}

function codeOf(error: unknown): string {
	if (!(error instanceof Error)) return '';
	// The native part says in words only that it could not open the file.
	if (error.message.startsWith('ConnectionFailed(')) return 'SQLITE_CANTOPEN';
	const { code } = error as { code?: unknown };
	const isOtherServer = error instanceof SyntaxError || code === 'HRANA_PROTO_ERROR';
	return isOtherServer ? 'SERVER_ERROR' : String(code);
}
