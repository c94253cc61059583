import type { Client, InValue } from '@libsql/client';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { reasons } from './tables.ts';

/** Rows a page: a few milliseconds of the event loop each. */
export const pageSize = 1000;

/** The number of the last change so far; it never falls, also when no change is kept any more. */
export async function lastChange(client: Pick<Client, 'execute'>): Promise<number> {
	const { rows } = await client.execute("SELECT seq FROM sqlite_sequence WHERE name = 'suppression_changes'");
	return Number(rows[0]?.seq ?? 0);
}

const pageOf = (rows: string) => `SELECT json_group_array(json_array(address, name, reason)) AS page FROM (${rows})`;

/** Lists whose domain was removed are no part of any file. */
const ofLivingScopes = "(scope = '' OR domains.id IS NOT NULL)";

/**
 * All entries, page by page, reason by reason and within each in the order of addresses: every page is a range of an
 * index that holds all there is to say. No snapshot, see keep-files.ts.
 */
export async function* basePages(client: Pick<Client, 'execute'>): AsyncGenerator<string> {
	for (const reason of reasons) yield* pagesOf(client, reason);
}

async function* pagesOf(client: Pick<Client, 'execute'>, reason: string): AsyncGenerator<string> {
	let after: [InValue, InValue] = ['', ''];
	for (;;) {
		const end = await client.execute({
			sql: `SELECT address, scope FROM suppressions WHERE reason = ? AND (address, scope) > (?, ?)
				ORDER BY address, scope LIMIT 1 OFFSET ${pageSize - 1}`,
			args: [reason, ...after]
		});
		const last = end.rows[0];
		const upTo: [InValue, InValue] | undefined = last && [last.address as string, last.scope as string];
		const { rows } = await client.execute({
			sql: pageOf(`SELECT address, coalesce(domains.name, '') AS name, reason FROM suppressions
				LEFT JOIN domains ON domains.id = scope WHERE reason = ? AND (address, scope) > (?, ?)
				${upTo === undefined ? '' : 'AND (address, scope) <= (?, ?)'} AND ${ofLivingScopes} ORDER BY address, scope`),
			args: [reason, ...after, ...(upTo ?? [])]
		});
		yield rows[0]?.page as string;
		await nextTurn();
		if (upTo === undefined) return;
		after = upTo;
	}
}

/**
 * What every address that changed after `after` is now, an empty reason where it is no entry. An address that changes
 * meanwhile comes again: it must not be missing, or the base's older word would count.
 */
export async function* deltaPages(client: Pick<Client, 'execute'>, after: number): AsyncGenerator<string> {
	for (let from = after; ;) {
		const end = await client.execute({
			sql: `SELECT max(seq) AS upto FROM (SELECT seq FROM suppression_changes WHERE seq > ? ORDER BY seq LIMIT ${pageSize})`,
			args: [from]
		});
		const upTo = end.rows[0]?.upto ?? null;
		if (upTo === null) return;
		const { rows } = await client.execute({
			sql: pageOf(`SELECT address, coalesce(domains.name, '') AS name,
				coalesce((SELECT reason FROM suppressions s WHERE s.address = c.address AND s.scope = c.scope), '') AS reason
				FROM suppression_changes c LEFT JOIN domains ON domains.id = scope
				WHERE c.seq > ? AND c.seq <= ? AND ${ofLivingScopes} ORDER BY c.seq`),
			args: [from, upTo]
		});
		yield rows[0]?.page as string;
		from = Number(upTo);
		await nextTurn();
	}
}
