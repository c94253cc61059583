import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { giveToOwnerOf } from '../core/data-owner.ts';
import { refused } from './damage.ts';

/** One restore at a time; the kernel releases it with the process. @returns the function that releases it. */
export function takeRestoreLock(dataDir: string): () => void {
	mkdirSync(dataDir, { recursive: true, mode: 0o700 });
	const path = join(dataDir, '.restore.lock.sqlite');
	const lock = new DatabaseSync(path);
	try {
		chmodSync(path, 0o600);
		giveToOwnerOf(dataDir, path);
		lock.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
		return () => lock.close();
	} catch (error) {
		lock.close();
		if ((error as { errcode?: number }).errcode !== 5) throw error;
		throw refused('restore-running', 'A restore is running here.', 'Wait until it has ended.');
	}
}

/**
 * Holds the panel's database alone. In WAL every open connection holds a shared lock on the file, so that leaving WAL
 * fails while anybody has it open (sqlite.org/wal.html 3); it also moves what the WAL holds into the file, which is then
 * whole by itself. A file that is no database any more cannot be in use.
 * @throws UserError panel-running
 */
export async function holdDatabase(path: string): Promise<() => Promise<void>> {
	if (!existsSync(path)) return () => Promise.resolve();
	const { createClient } = await import('@libsql/client/sqlite3');
	const client = createClient({ url: `file:${path}`, timeout: 500 });
	try {
		await client.execute('PRAGMA journal_mode = DELETE');
		// Outside WAL a write transaction keeps others from writing and from going back to WAL, with which a panel starts.
		const transaction = await client.transaction('write');
		return async () => {
			// An open transaction would keep the lock beyond the close.
			await transaction.rollback();
			client.close();
		};
	} catch (error) {
		client.close();
		const code = String((error as { code?: unknown }).code);
		if (/^SQLITE_(?:NOTADB|CORRUPT)/.test(code)) return () => Promise.resolve();
		if (!code.startsWith('SQLITE_BUSY')) throw error;
		throw refused(
			'panel-running',
			'The panel, or another command, has this database open.',
			'Stop it (systemctl stop kumomta-ui) and run the restore again.'
		);
	}
}
