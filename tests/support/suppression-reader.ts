import { DatabaseSync } from 'node:sqlite';
import { suppressionFormat } from '../../src/lib/server/core/suppression-format.ts';
import type { SuppressionRoots } from '../../src/lib/server/suppression/write-file.ts';

/** Rows of one file, by `address scope`. */
export function readRows(path: string): Map<string, string> {
	const db = new DatabaseSync(path, { readOnly: true });
	try {
		const rows = db.prepare(`SELECT address, scope, reason FROM ${suppressionFormat.table}`).all();
		return new Map(
			rows.map(({ address, scope, reason }) => [`${address as string} ${scope as string}`, String(reason)])
		);
	} finally {
		db.close();
	}
}

/** What both files say of one list: the delta's word, else the base's; empty where neither suppresses. */
export const wordOf = (key: string, base: Map<string, string>, delta: Map<string, string>) =>
	delta.get(key) ?? base.get(key) ?? '';

/** Everything that the files suppress, by `address scope`. */
export function readFiles(roots: SuppressionRoots): Record<string, string> {
	const [base, delta] = [readRows(roots.base), readRows(roots.delta)];
	const keys = [...new Set([...base.keys(), ...delta.keys()])].sort();
	return Object.fromEntries(keys.map((key) => [key, wordOf(key, base, delta)]).filter(([, reason]) => reason !== ''));
}
