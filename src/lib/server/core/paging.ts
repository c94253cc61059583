import { createHash } from 'node:crypto';
import { domainToASCII } from 'node:url';
import { sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core';
import { z } from 'zod';
import type { DbOrTransaction } from './database.ts';
import { UserError } from './errors.ts';

/** The input of every list: `sorts` are the columns an operator may sort by, the first is the default. */
export function listInput<const Sorts extends readonly [string, ...string[]]>(sorts: Sorts) {
	return {
		search: z
			.string()
			.trim()
			.max(100)
			.refine((text) => !text.includes('\0'), 'A search holds no NUL character.')
			.optional(),
		sort: z.strictObject({ by: z.enum(sorts), dir: z.enum(['asc', 'desc']).default('asc') }).optional(),
		cursor: z.string().max(1000).optional(),
		limit: z.int().min(1).max(200).default(50)
	};
}

export interface ListRequest<Sort extends string = string> {
	search?: string | undefined;
	sort?: { by: Sort; dir: 'asc' | 'desc' } | undefined;
	cursor?: string | undefined;
	limit: number;
}

export interface Page<Item> {
	items: Item[];
	/** Opaque; null at the end. Bound to the search, the sort and the filters it was made for. */
	nextCursor: string | null;
	total: number;
}

export function pageOf<Item extends z.ZodType>(item: Item) {
	return z.object({ items: z.array(item), nextCursor: z.string().nullable(), total: z.int() });
}

type Key = [value: string | number | null, tie: string | number];

/**
 * One page by key: the cost is the same on the first and on the ten-thousandth page.
 * @param binding everything besides the cursor that decides the order and the set of rows.
 * @param read answers at most `limit` rows that follow `after`, in order.
 * @throws UserError cursor-mismatch when the cursor was made for another search, sort or filter.
 */
export async function listPage<Row>(
	request: ListRequest,
	{
		binding,
		read,
		key,
		count
	}: {
		binding: unknown;
		read: (after: Key | null, limit: number) => Promise<Row[]>;
		key: (row: Row) => Key;
		count: () => Promise<number>;
	}
): Promise<Page<Row>> {
	const bound = createHash('sha256')
		.update(JSON.stringify([request.search ?? '', request.sort ?? null, binding]))
		.digest('base64url')
		.slice(0, 12);
	const after = request.cursor === undefined ? null : readCursor(request.cursor, bound);
	const [rows, total] = await Promise.all([read(after, request.limit + 1), count()]);
	const items = rows.slice(0, request.limit);
	const last = items.at(-1);
	const nextCursor =
		rows.length > request.limit && last !== undefined
			? Buffer.from(JSON.stringify([bound, ...key(last)])).toString('base64url')
			: null;
	return { items, nextCursor, total };
}

const cursor = z.tuple([z.string(), z.union([z.string(), z.number(), z.null()]), z.union([z.string(), z.number()])]);

function readCursor(text: string, bound: string): Key {
	try {
		const [madeFor, value, tie] = cursor.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
		if (madeFor === bound) return [value, tie];
	} catch {
		// Falls through to the same answer as a cursor of another list.
	}
	throw new UserError(
		'BAD_REQUEST',
		'The list was searched or sorted differently since this page was opened. Start again from its first page.',
		{
			reason: 'cursor-mismatch',
			field: 'cursor'
		}
	);
}

/** Rows that follow a key in the given direction; the index must hold both columns in this order. */
export function follows(
	column: AnySQLiteColumn | SQL,
	tie: AnySQLiteColumn,
	dir: 'asc' | 'desc',
	after: Key | null
): SQL | undefined {
	if (after === null) return undefined;
	return dir === 'asc'
		? sql`(${column}, ${tie}) > (${after[0]}, ${after[1]})`
		: sql`(${column}, ${tie}) < (${after[0]}, ${after[1]})`;
}

export function ordered(column: AnySQLiteColumn | SQL, tie: AnySQLiteColumn, dir: 'asc' | 'desc'): SQL[] {
	return dir === 'asc' ? [sql`${column} asc`, sql`${tie} asc`] : [sql`${column} desc`, sql`${tie} desc`];
}

/** More hits than this lie everywhere: then walking the list in its order meets a page of them sooner than the index. */
const commonHits = 2000;

/**
 * Search as the contract says: one or two characters match as a prefix (a range of the column's index), more as a
 * substring through the trigram index `<table>_search`, whose rowid is `seq`. `hits` is their number in the whole table
 * where that is known already; `where` is undefined without a search.
 */
export async function searchIndexed(
	db: DbOrTransaction,
	search: string | undefined,
	{ column, seq, index }: { column: AnySQLiteColumn; seq: AnySQLiteColumn; index: 'domains_search' | 'senders_search' }
): Promise<{ where?: SQL; hits?: number }> {
	const text = asStored(search?.trim().toLowerCase() ?? '');
	if (text === '') return {};
	if ([...text].length < 3) return { where: sql`${column} >= ${text} and ${column} < ${text + '\u{10ffff}'}` };
	const matching = sql`${sql.identifier(index)} where ${sql.identifier(index)} match ${`"${text.replaceAll('"', '""')}"`}`;
	const few = sql`select rowid from ${matching} limit ${commonHits + 1}`;
	const { hits } = await db.get<{ hits: number }>(sql`select count(*) as hits from (${few})`);
	// GLOB reads a whole index in half the time of instr().
	if (hits > commonHits) return { where: sql`${column} glob ${`*${text.replace(/[*?[]/g, '[$&]')}*`}` };
	return { hits, where: sql`${seq} in (select rowid from ${matching})` };
}

/** Names are stored as A-labels: whole labels in Unicode are looked for as such (`bücher` as `xn--bcher-kva`). */
export function asStored(text: string): string {
	if (/^[\x20-\x7e]*$/.test(text)) return text;
	const at = text.lastIndexOf('@') + 1;
	return text.slice(0, at) + (domainToASCII(text.slice(at)) || text.slice(at));
}

/** The same rule for small tables, by GLOB over one or more columns. */
export function matchesText(search: string | undefined, ...columns: AnySQLiteColumn[]): SQL | undefined {
	const text = search?.trim().toLowerCase();
	if (!text) return undefined;
	const characters = [...text];
	const inside = characters.map(globOf).join('');
	const pattern = characters.length < 3 ? `${inside}*` : `*${inside}*`;
	return sql`(${sql.join(
		columns.map((column) => sql`lower(${column}) glob ${pattern}`),
		sql` or `
	)})`;
}

/** One lower-case character as GLOB reads it; SQLite's `lower` knows ASCII only, so other letters stand in both cases. */
function globOf(character: string): string {
	if (/[*?[]/.test(character)) return `[${character}]`;
	const upper = character.toUpperCase();
	return /^[\0-\x7f]$/.test(character) || upper === character || [...upper].length > 1
		? character
		: `[${character}${upper}]`;
}
