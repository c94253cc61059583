import { and, eq, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import type { z } from 'zod';
import type { DbOrTransaction } from '../core/database.ts';
import { UserError } from '../core/errors.ts';
import { asStored, follows, listPage, ordered } from '../core/paging.ts';
import type * as inputs from './inputs.ts';
import { itemOf, readItems } from './item.ts';
import type { ItemRow, SuppressionItem } from './item.ts';
import { reasons, suppressions } from './tables.ts';

type Filters = Pick<z.infer<typeof inputs.listSuppressions>, 'domainId' | 'reason' | 'search'>;
type Page = z.infer<typeof inputs.suppressionPage>;
type Direction = 'asc' | 'desc';
type After = Parameters<typeof follows>[3];

/** Counting further would walk what nobody looks at. */
const countedRows = 1000;

/** As in the index `suppressions_host`. */
const host = sql`substr(${suppressions.address}, instr(${suppressions.address}, '@') + 1)`;

/** One page, at the same cost among ten and ten million: every combination that is allowed is a range of one index. */
export async function listSuppressions(
	db: DbOrTransaction,
	input: z.infer<typeof inputs.listSuppressions>
): Promise<Page> {
	const { by, dir } = input.sort ?? { by: 'address', dir: 'asc' };
	const isWhole = input.domainId === undefined && input.reason === undefined && !input.search;
	if (by === 'createdAt' && !isWhole) throw sortNeedsWholeList();
	const tie = by === 'address' ? suppressions.scope : suppressions.seq;
	const page = await listPage<ItemRow>(input, {
		binding: [input.domainId, input.reason],
		key: (row) => (by === 'address' ? [row.address, row.scope] : [row.createdAt, row.seq]),
		count: () => countMatching(db, input),
		read: (after, limit) =>
			by === 'address'
				? readByAddress(db, input, { dir, after, limit })
				: readItems(db)
						.where(follows(suppressions.createdAt, tie, dir, after))
						.orderBy(...ordered(suppressions.createdAt, tie, dir))
						.limit(limit)
	});
	const { total } = page;
	return {
		...page,
		items: page.items.map(itemOf),
		total: Math.min(total, countedRows),
		totalIsExact: total <= countedRows
	};
}

/** A page in the order of addresses without a count, for what walks the whole list. */
export async function walkSuppressions(
	db: DbOrTransaction,
	input: Filters & { cursor?: string | undefined; limit: number }
): Promise<{ items: SuppressionItem[]; nextCursor: string | null }> {
	const page = await listPage<ItemRow>(input, {
		binding: ['walk', input.domainId, input.reason],
		key: (row) => [row.address, row.scope],
		count: () => Promise.resolve(0),
		read: (after, limit) => readByAddress(db, input, { dir: 'asc', after, limit })
	});
	return { items: page.items.map(itemOf), nextCursor: page.nextCursor };
}

/**
 * Where the index has the reason before the address, each reason is a range of its own; the few first rows of each are
 * put in order.
 */
function readByAddress(
	db: DbOrTransaction,
	input: Filters,
	{ dir, after, limit }: { dir: Direction; after: After; limit: number }
): Promise<ItemRow[]> {
	const where = conditions(input);
	const { address, scope } = suppressions;
	const isSplit = input.reason === undefined && (input.domainId !== undefined || isHostSearch(input.search));
	// Left to itself SQLite walks all of a reason in order, and looks for the host.
	const indexed = isHostSearch(input.search) ? sql`indexed by suppressions_host` : sql``;
	const order = sql.join(ordered(address, scope, dir), sql`, `);
	const branches = (isSplit ? reasons : [undefined]).map((reason) => {
		const all = and(where, follows(address, scope, dir, after), reason && eq(suppressions.reason, reason));
		const from = sql`select ${suppressions.seq}, ${address}, ${scope} from ${suppressions} ${indexed}`;
		return sql`select * from (${from} ${all === undefined ? sql`` : sql`where ${all}`} order by ${order} limit ${limit})`;
	});
	const first = sql`select seq from (${sql.join(branches, sql` union all `)}) order by address ${sql.raw(dir)}, scope ${sql.raw(dir)} limit ${limit}`;
	return readItems(db)
		.where(sql`${suppressions.seq} in (${first})`)
		.orderBy(...ordered(address, scope, dir));
}

const isHostSearch = (search: string | undefined) => search?.trim().startsWith('@') === true;

/** @throws UserError search-needs-all-lists: a host within one list would be no range of any index. */
function conditions({ domainId, reason, search }: Filters): SQL | undefined {
	if (domainId !== undefined && isHostSearch(search)) throw searchNeedsAllLists();
	return and(
		domainId === undefined ? undefined : eq(suppressions.scope, domainId ?? ''),
		reason === undefined ? undefined : eq(suppressions.reason, reason),
		matching(search)
	);
}

function matching(search: string | undefined): SQL | undefined {
	const text = asStored(search?.trim().toLowerCase() ?? '');
	if (text === '') return undefined;
	if (text.startsWith('@')) return sql`${host} = ${text.slice(1)}`;
	return sql`(${suppressions.address} >= ${text} and ${suppressions.address} < ${`${text}\u{10ffff}`})`;
}

async function countMatching(db: DbOrTransaction, input: Filters): Promise<number> {
	const some = db
		.select({ one: sql`1` })
		.from(suppressions)
		.where(conditions(input))
		.limit(countedRows + 1);
	return db.$count(some.as('some'));
}

function sortNeedsWholeList(): UserError {
	return new UserError(
		'BAD_REQUEST',
		'The newest entries can be listed only without a search and filters. Nothing was changed. Take those away, or order by address.',
		{ reason: 'sort-needs-whole-list', field: 'sort.by' }
	);
}

function searchNeedsAllLists(): UserError {
	return new UserError(
		'BAD_REQUEST',
		'A host is searched over all lists at once. Nothing was changed. Take the list filter away, or search for the beginning of an address.',
		{ reason: 'search-needs-all-lists', field: 'search' }
	);
}
