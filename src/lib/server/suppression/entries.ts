import { sql } from 'drizzle-orm';
import type { DbOrTransaction } from '../core/database.ts';
import type { suppressions } from './tables.ts';

export type NewEntry = Pick<
	typeof suppressions.$inferInsert,
	'address' | 'scope' | 'reason' | 'createdAt' | 'addedBy'
> &
	Partial<
		Pick<
			typeof suppressions.$inferInsert,
			'expiresAt' | 'class' | 'code' | 'status' | 'diagnostic' | 'count' | 'firstAt' | 'lastAt' | 'note'
		>
	>;

/** The weaker reason first: an entry keeps the strongest word about it, and what has expired has none. */
const strength = (table: 'suppressions' | 'excluded') =>
	sql.raw(`instr('soft-bounce import hard-bounce complaint manual', ${table}.reason)`);
const stored = (now: number) =>
	sql`case when suppressions.expires_at <= ${now} then 0 else ${strength('suppressions')} end`;

/** Rows a statement; between statements others get their turn. */
const chunk = 250;

/**
 * Puts addresses on their lists, or makes what stands there stronger: events add to its evidence, a stronger reason
 * replaces the weaker one and its expiry. Addresses are normalised already and different within `entries`.
 */
export async function putEntries(tx: DbOrTransaction, entries: NewEntry[], now: number): Promise<void> {
	for (let from = 0; from < entries.length; from += chunk) {
		await putChunk(tx, entries.slice(from, from + chunk), now);
		if (from + chunk < entries.length) await new Promise((resolve) => setImmediate(resolve));
	}
}

async function putChunk(tx: DbOrTransaction, entries: NewEntry[], now: number): Promise<void> {
	const rows = JSON.stringify(entries);
	const field = (name: string) => sql`value ->> ${`$.${name}`}`;
	const isStronger = sql`${strength('excluded')} >= ${stored(now)}`;
	const evidence = (column: string) =>
		sql.raw(`${column} = case when excluded.last_at is null then suppressions.${column} else excluded.${column} end`);
	await tx.run(sql`
		insert into suppressions (address, scope, reason, created_at, expires_at, class, code, status, diagnostic, count, first_at, last_at, note, added_by)
		select ${field('address')}, ${field('scope')}, ${field('reason')}, ${field('createdAt')}, ${field('expiresAt')},
			${field('class')}, ${field('code')}, ${field('status')}, ${field('diagnostic')}, coalesce(${field('count')}, 0),
			${field('firstAt')}, ${field('lastAt')}, coalesce(${field('note')}, ''), ${field('addedBy')}
		from json_each(${rows}) where true
		on conflict (address, scope) do update set
			reason = case when ${isStronger} then excluded.reason else suppressions.reason end,
			expires_at = case
				when not ${isStronger} then suppressions.expires_at
				when excluded.reason = 'soft-bounce' and suppressions.reason = 'soft-bounce' then max(excluded.expires_at, suppressions.expires_at)
				else excluded.expires_at end,
			added_by = case when ${strength('excluded')} > ${stored(now)} then excluded.added_by else suppressions.added_by end,
			${evidence('class')}, ${evidence('code')}, ${evidence('status')}, ${evidence('diagnostic')},
			count = suppressions.count + excluded.count,
			first_at = coalesce(suppressions.first_at, excluded.first_at),
			last_at = coalesce(max(suppressions.last_at, excluded.last_at), excluded.last_at, suppressions.last_at),
			note = case when excluded.note = '' then suppressions.note else excluded.note end,
			version = suppressions.version + 1
	`);
}

/** How many of these addresses stand on a list. */
export async function countKnown(tx: DbOrTransaction, scope: string, addresses: string[]): Promise<number> {
	const { known } = await tx.get<{ known: number }>(sql`
		select count(*) as known from json_each(${JSON.stringify(addresses)}) given
		where exists (select 1 from suppressions where address = given.value and scope = ${scope})`);
	return known;
}

export async function dropEntries(tx: DbOrTransaction, scope: string, addresses: string[]): Promise<number> {
	let removed = 0;
	for (let from = 0; from < addresses.length; from += chunk) {
		const some = JSON.stringify(addresses.slice(from, from + chunk));
		const { rowsAffected } = await tx.run(
			sql`delete from suppressions where scope = ${scope} and address in (select value from json_each(${some}))`
		);
		removed += rowsAffected;
		if (from + chunk < addresses.length) await new Promise((resolve) => setImmediate(resolve));
	}
	return removed;
}
