import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { suppressionFormat } from '../../src/lib/server/core/suppression-format.ts';

export type SuppressionRow = [address: string, scope: string, reason: string];

/** A file's rows; `absent` removes it, `broken` is no database, `foreign` has another format. */
export type SuppressionFile = Iterable<SuppressionRow> | 'absent' | 'broken' | 'foreign';

export type SuppressionFiles = { base?: SuppressionFile; delta?: SuppressionFile };

/** The two files of the suppression lists as the panel places them: each made beside its place and renamed into it. */
export function writeSuppression(directory: string, files: SuppressionFiles): void {
	mkdirSync(directory, { recursive: true });
	for (const name of ['base', 'delta'] as const) {
		const file = files[name];
		if (file === undefined) continue;
		const path = join(directory, suppressionFormat[name]);
		if (file === 'absent') {
			rmSync(path, { force: true });
			continue;
		}
		const staged = `${path}.staged`;
		if (file === 'broken') writeFileSync(staged, 'no database, and longer than the head of one. '.repeat(40));
		else fill(staged, file === 'foreign' ? [] : file, suppressionFormat.version + Number(file === 'foreign'));
		renameSync(staged, path);
	}
}

function fill(path: string, rows: Iterable<SuppressionRow>, version: number): void {
	const { table, columns } = suppressionFormat;
	const database = new DatabaseSync(path);
	database.exec(`PRAGMA journal_mode = delete; PRAGMA synchronous = off; PRAGMA user_version = ${version}; BEGIN;
		CREATE TABLE ${table} (${columns.map((name) => `${name} text not null`).join(', ')}, primary key (address, scope)) without rowid`);
	const insert = database.prepare(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (?, ?, ?)`);
	for (const row of rows) insert.run(...row);
	database.exec('COMMIT');
	database.close();
}
