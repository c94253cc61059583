import type { App } from '../app.ts';
import { sqliteCode } from '../core/errors.ts';
import { errnoOf } from '../host/file-errors.ts';
import { bounceMailboxes } from './tables.ts';
import type { Contents } from './tidy.ts';

/** Why a mailbox could not be looked into, and what that means. */
const problems: Record<string, string> = {
	'no-directory': 'The mailbox is not there yet: the next apply makes it.',
	'no-permission':
		'The panel may not look into this mailbox. Mail still comes in and can be fetched; it is not counted, and neither retention nor quota is enforced. Give the panel’s user access to its directory.',
	'not-a-directory':
		'Where the mailbox should be lies a link or a file. It was not followed or changed. Look at it, move it away and apply again.',
	'disk-error': 'The disk reported an error. The numbers are those of the last good look. Look at the system’s log.'
};

const codes: Record<string, string> = {
	ENOENT: 'no-directory',
	EACCES: 'no-permission',
	EPERM: 'no-permission',
	ENOTDIR: 'not-a-directory',
	ELOOP: 'not-a-directory'
};

/** The code of what went wrong with a mailbox. @throws the error itself when it is none of the file system's. */
export function problemCode(error: unknown): string {
	const errno = errnoOf(error);
	if (errno === undefined) throw error;
	return codes[errno] ?? 'disk-error';
}

export const problemOf = (code: string) => ({ code, message: problems[code] ?? 'It could not be looked into.' });

/** Keeps what was seen. An account that was removed meanwhile needs no row. */
export async function saveContents(app: App, accountId: string, contents: Contents): Promise<void> {
	await save(app, { accountId, ...contents, error: null });
}

/** Keeps why a look failed, beside the numbers of the last good one. A mailbox that is not there holds nothing. */
export async function saveProblem(app: App, accountId: string, error: string): Promise<void> {
	await save(app, { accountId, error, ...(error === 'no-directory' && { messages: 0, bytes: 0, newestAt: null }) });
}

async function save(app: App, row: { accountId: string; error: string | null } & Partial<Contents>): Promise<void> {
	const set = { ...row, scannedAt: app.clock() };
	try {
		await app.db
			.insert(bounceMailboxes)
			.values({ messages: 0, bytes: 0, newestAt: null, ...set })
			.onConflictDoUpdate({ target: bounceMailboxes.accountId, set });
	} catch (error) {
		if (sqliteCode(error) !== 'SQLITE_CONSTRAINT_FOREIGNKEY') throw error;
	}
}
