import type { ChangeCounts } from './changes.ts';
import { wording } from './changes.ts';
import { addedRows, changedRows, openPair } from './pair.ts';
import type { ObjectTable } from './pair.ts';
import { directoryTables } from './rows.ts';

export interface RowDrift extends ChangeCounts {
	/** The first of them in words: objects by what became of them, other rows by their key. Never a verifier. */
	rows: string[];
}

const shownRows = 100;
const objects: readonly string[] = ['domain', 'sender', 'mailbox'];

/** What an edited directory.sqlite has other than it should. @param was with the file as it should be; @throws when one is damaged. */
export function directoryDrift(was: string, now: string): RowDrift {
	const db = openPair(was, now);
	const drift: RowDrift = { added: 0, removed: 0, changed: 0, total: 0, rows: [] };
	try {
		for (const table of directoryTables) {
			const gone = `FROM was.${table} w WHERE NOT EXISTS (SELECT 1 FROM now.${table} n WHERE n.key = w.key)`;
			const parts: [kind: 'added' | 'changed' | 'removed', select: string, from: string][] = [
				['added', 'n.key, NULL AS was, n.value AS now', addedRows(table)],
				['changed', 'n.key, w.value AS was, n.value AS now', changedRows(table)],
				['removed', 'w.key, w.value AS was, NULL AS now', gone]
			];
			for (const [kind, select, from] of parts) {
				const { n } = db.prepare(`SELECT count(*) AS n ${from}`).get() as { n: number };
				drift[kind] += n;
				drift.total += n;
				const left = shownRows - drift.rows.length;
				if (n === 0 || left <= 0) continue;
				const rows = db.prepare(`SELECT ${select} ${from} ORDER BY 1 LIMIT ?`).all(left) as unknown as Row[];
				drift.rows.push(...rows.map((row) => inWords(table, kind, row)));
			}
		}
		return drift;
	} finally {
		db.close();
	}
}

interface Row {
	key: string;
	was: string | null;
	now: string | null;
}

const rowWords = { added: 'was added', changed: 'was changed', removed: 'was removed' };

/** Somebody's JSON may be anything: what cannot be read is named by its key alone. */
function inWords(table: string, kind: keyof typeof rowWords, { key, was, now }: Row): string {
	const name = `The row ${key} of the table ${table} ${rowWords[kind]}`;
	if (!objects.includes(table)) return name;
	try {
		return wording(table as ObjectTable, key, { ...(was !== null && { was }), ...(now !== null && { now }) }).text;
	} catch {
		return name;
	}
}
