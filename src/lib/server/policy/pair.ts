import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { directoryTables } from './rows.ts';

/** Tables whose rows are objects that a person knows; `tenant` shows only what no sender shows: queues that are forgotten. */
export const objectTables = ['domain', 'sender', 'mailbox', 'tenant'] as const;
export type ObjectTable = (typeof objectTables)[number];

/** Two directories under the names `was` and `now`, read only. @param was null: an empty one. The caller closes it. */
export function openPair(was: string | null, now: string): DatabaseSync {
	const db = new DatabaseSync(':memory:');
	try {
		attachPair(db, was, now);
		return db;
	} catch (error) {
		db.close();
		throw error;
	}
}

export function attachPair(db: DatabaseSync, was: string | null, now: string): void {
	db.prepare('ATTACH ? AS now').run(`file:${encodeURI(join(now, 'directory.sqlite'))}?mode=ro`);
	if (was !== null) {
		db.prepare('ATTACH ? AS was').run(`file:${encodeURI(join(was, 'directory.sqlite'))}?mode=ro`);
		return;
	}
	db.exec("ATTACH ':memory:' AS was");
	for (const table of directoryTables)
		db.exec(`CREATE TABLE was.${table} (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`);
}

export const addedRows = (table: string) =>
	`FROM now.${table} n WHERE NOT EXISTS (SELECT 1 FROM was.${table} w WHERE w.key = n.key)`;
export const changedRows = (table: string) =>
	`FROM now.${table} n CROSS JOIN was.${table} w WHERE w.key = n.key AND w.value <> n.value`;
/** A tenant without a sender is a removed one whose mail is still waiting. */
export const removedRows = (table: string) =>
	`FROM was.${table} w WHERE NOT EXISTS (SELECT 1 FROM now.${table} n WHERE n.key = w.key)${
		table === 'tenant' ? ` AND instr(w.value, '"sender":') = 0` : ''
	}`;
