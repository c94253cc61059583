import { DatabaseSync } from 'node:sqlite';
import { parentPort } from 'node:worker_threads';
import { suppressionFormat } from '../core/suppression-format.ts';

/** What the main thread says; each is answered once, in order. Rows come from it: the panel's database is not opened here. */
export type FileCall =
	| { kind: 'begin'; path: string }
	/** A JSON array of `[address, scope, reason]`; a later row replaces an earlier one. */
	| { kind: 'page'; json: string }
	| { kind: 'end'; about: Record<string, string | number> };

export type FileAnswer = { kind: 'done'; rows: number } | { kind: 'failed'; message: string };

interface Making {
	put: (row: [address: string, scope: string, reason: string]) => void;
	end: (about: Record<string, string | number>) => number;
}

let making: Making | undefined;

/** The file gets the mode that the process's umask leaves and is not synced: who placed the call sees to both. */
function begin(path: string): Making {
	const { version, table, columns } = suppressionFormat;
	const db = new DatabaseSync(path);
	db.exec(`PRAGMA journal_mode = delete; PRAGMA synchronous = off; PRAGMA user_version = ${version}; BEGIN;
		CREATE TABLE ${table} (address text not null, scope text not null, reason text not null, primary key (address, scope)) without rowid;
		CREATE TABLE about (key text primary key, value text not null) without rowid`);
	const insert = db.prepare(`INSERT OR REPLACE INTO ${table} (${columns.join(', ')}) VALUES (?, ?, ?)`);
	const note = db.prepare('INSERT INTO about (key, value) VALUES (?, ?)');
	return {
		put: (row) => void insert.run(...row),
		end(about) {
			const { rows } = db.prepare(`SELECT count(*) AS rows FROM ${table}`).get() as { rows: number };
			for (const [key, value] of Object.entries({ ...about, rows })) note.run(key, String(value));
			db.exec('COMMIT');
			db.close();
			return rows;
		}
	};
}

function answer(call: FileCall): FileAnswer {
	try {
		if (call.kind === 'begin') making = begin(call.path);
		else if (making === undefined) throw new Error('No file was begun.');
		else if (call.kind === 'end') return { kind: 'done', rows: making.end(call.about) };
		else for (const row of JSON.parse(call.json) as Parameters<Making['put']>[0][]) making.put(row);
		return { kind: 'done', rows: 0 };
	} catch (error) {
		return { kind: 'failed', message: error instanceof Error ? error.message : 'unknown' };
	}
}

parentPort?.on('message', (call: FileCall) => parentPort?.postMessage(answer(call)));
