import { getTableColumns, sql } from 'drizzle-orm';
import type { z } from 'zod';
import type { DbOrTransaction } from '../core/database.ts';
import { displayAddress } from '../core/inputs.ts';
import type { suppressionItem } from './inputs.ts';
import { suppressions } from './tables.ts';

export type SuppressionItem = z.infer<typeof suppressionItem>;

const columns = {
	...getTableColumns(suppressions),
	domainName: sql<string | null>`(select d.name from domains d where d.id = suppressions.scope)`
};

/** Entries with the name of their domain. */
export const readItems = (db: DbOrTransaction) => db.select(columns).from(suppressions);
export type ItemRow = Awaited<ReturnType<typeof readItems>>[number];

/** The number of the row in the form of all ids. */
const idOf = (seq: number) => seq.toString(36).padStart(16, '0');
/** -1, which no row has, for an id that none could have. */
export const seqOf = (id: string) => {
	const seq = Number.parseInt(id, 36);
	return Number.isSafeInteger(seq) ? seq : -1;
};

export function itemOf(row: ItemRow): SuppressionItem {
	const { seq, address, scope, reason, createdAt, expiresAt, note, addedBy, version } = row;
	return {
		id: idOf(seq),
		address,
		displayName: displayAddress(address),
		domain: scope === '' ? null : { id: scope, name: row.domainName ?? 'removed domain' },
		reason,
		createdAt,
		expiresAt,
		evidence: evidenceOf(row),
		note,
		addedBy,
		version
	};
}

function evidenceOf(row: ItemRow): SuppressionItem['evidence'] {
	if (row.lastAt === null) return null;
	return {
		class: row.class ?? '',
		code: row.code,
		status: row.status,
		diagnostic: row.diagnostic ?? '',
		count: row.count,
		firstAt: row.firstAt ?? row.lastAt,
		lastAt: row.lastAt
	};
}
