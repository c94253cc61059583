import { DatabaseSync } from 'node:sqlite';
import type { StatementSync } from 'node:sqlite';
import { directoryTables } from './rows.ts';
import type { DirectoryRow, DirectoryTable, DomainValue } from './rows.ts';

export const directoryFormat = 1;

/** A directory.sqlite in the making: `put` its rows, then `commit`; `close` alone leaves nothing usable behind. */
export interface DirectoryWriter {
	put: (row: DirectoryRow) => void;
	commit: () => void;
	close: () => void;
}

/**
 * Begins directory.sqlite at a path where nothing exists yet. The file gets the mode that the process's umask leaves;
 * the caller sets its own and syncs it. Only `node:sqlite` ever opens such a file: see core/database.ts.
 */
export function createDirectory(path: string): DirectoryWriter {
	const db = new DatabaseSync(path);
	db.exec(`PRAGMA journal_mode = delete; PRAGMA synchronous = off; PRAGMA user_version = ${directoryFormat}; BEGIN`);
	const inserts = Object.fromEntries(
		directoryTables.map((table) => {
			db.exec(`CREATE TABLE ${table} (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`);
			return [table, db.prepare(`INSERT INTO ${table} (key, value) VALUES (?, ?)`)];
		})
	) as Record<DirectoryTable, StatementSync>;
	return {
		put: ([table, key, value]) => void inserts[table].run(key, value),
		commit() {
			db.exec('COMMIT');
			db.close();
		},
		close() {
			if (db.isOpen) db.close();
		}
	};
}

/** A whole directory at once. */
export function writeDirectory(path: string, rows: Iterable<DirectoryRow>): void {
	const writer = createDirectory(path);
	try {
		for (const row of rows) writer.put(row);
		writer.commit();
	} finally {
		writer.close();
	}
}

export function openDirectory(path: string): DatabaseSync {
	const db = new DatabaseSync(path, { readOnly: true });
	const { user_version: format } = db.prepare('PRAGMA user_version').get() as { user_version: number };
	if (format === directoryFormat) return db;
	db.close();
	throw new Error(`directory.sqlite has format ${format}; this program reads format ${directoryFormat}.`);
}

/** All rows of a revision's directory, table by table, each ordered by key. */
export function* readDirectory(
	path: string,
	tables: readonly DirectoryTable[] = directoryTables
): Generator<DirectoryRow> {
	const db = openDirectory(path);
	try {
		for (const table of tables) yield* readTable(db, table);
	} finally {
		db.close();
	}
}

function* readTable(db: DatabaseSync, table: DirectoryTable): Generator<DirectoryRow> {
	const rows = db.prepare(`SELECT key, value FROM ${table} ORDER BY key`).iterate();
	for (const { key, value } of rows as Iterable<{ key: string; value: string }>) yield [table, key, value];
}

export interface RevisionKey {
	id: string;
	domain: string;
	selector: string;
	algorithm: string;
	/** Hex SHA-256 of the PEM file. */
	hash: string;
}

/** The active DKIM keys of a revision: the files that must lie under the DKIM directory before it may go live. */
export function* readKeys(path: string): Generator<RevisionKey> {
	const db = openDirectory(path);
	try {
		for (const [, key, value] of readTable(db, 'dkim_key')) {
			const [domain = '', selector = ''] = key.split('/');
			yield { domain, selector, ...(JSON.parse(value) as Omit<RevisionKey, 'domain' | 'selector'>) };
		}
	} finally {
		db.close();
	}
}

/** Whether an object works in a revision: a domain that is ready, a sender or bounce account that is there. */
export function liveLookup(path: string): { has(scope: string, key: string): boolean; close(): void } {
	const db = openDirectory(path);
	const find = (table: DirectoryTable) => db.prepare(`SELECT value FROM ${table} WHERE key = ?`);
	const statements = { domain: find('domain'), sender: find('sender'), 'bounce-account': find('mailbox') };
	return {
		has(scope, key) {
			const row = statements[scope as keyof typeof statements]?.get(key) as { value: string } | undefined;
			return row !== undefined && (scope !== 'domain' || (JSON.parse(row.value) as DomainValue).ready);
		},
		close: () => db.close()
	};
}
