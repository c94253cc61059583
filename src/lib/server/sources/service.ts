import { and, asc, eq, inArray } from 'drizzle-orm';
import type { z } from 'zod';
import type { App } from '../app.ts';
import type { DbOrTransaction } from '../core/database.ts';
import { notFound, UserError, versionMoved, withConstraint } from '../core/errors.ts';
import { canonicalAddress, displayHost, given, normaliseHost } from '../core/inputs.ts';
import { follows, listPage, matchesText, ordered } from '../core/paging.ts';
import { poolSources, pools } from '../pools/tables.ts';
import { addressesOf } from './address-range.ts';
import { addressScope } from './address-scope.ts';
import type {
	createSource as createInput,
	listSources as listInput,
	sourceItem,
	updateSource as updateInput
} from './inputs.ts';
import { kumoSourceName } from './kumo-name.ts';
import { assertFreeSources, defaultNames, takenSource } from './uniqueness.ts';
import { sources } from './tables.ts';

export { kumoSourceName } from './kumo-name.ts';

type Row = typeof sources.$inferSelect;
type SourceItem = z.infer<typeof sourceItem>;

const sortColumns = { name: sources.name, address: sources.address, createdAt: sources.createdAt };

export async function listSources(app: App, input: z.infer<typeof listInput>) {
	const { by, dir } = input.sort ?? { by: 'name', dir: 'asc' };
	const column = sortColumns[by];
	const where = matchesText(input.search, sources.name, sources.address, sources.ehloDomain);
	const page = await listPage<Row>(input, {
		binding: null,
		key: (row) => [row[by], row.id],
		count: () => app.db.$count(sources, where),
		read: (after, limit) =>
			app.db
				.select()
				.from(sources)
				.where(and(where, follows(column, sources.id, dir, after)))
				.orderBy(...ordered(column, sources.id, dir))
				.limit(limit)
	});
	return { ...page, items: await itemsOf(app, app.db, page.items) };
}

/** One source, or every address of a range: all are stored or none. */
export async function createSource(app: App, input: z.infer<typeof createInput>) {
	const { cidr, ehloPattern, address, ehloDomain, name, publicAddress } = input;
	if (cidr !== undefined && ehloPattern !== undefined) {
		const addresses = addressesOf(cidr);
		if (!Array.isArray(addresses)) throw new Error('The network was not checked before it came here.');
		const range = addresses.map((each, index) => ({
			address: each,
			ehloDomain: numberedName(ehloPattern, index + 1)
		}));
		return { items: await insert(app, range, 'cidr') };
	}
	if (address === undefined || ehloDomain === undefined)
		throw new Error('The source was not checked before it came here.');
	const [item] = await insert(app, [{ address, ehloDomain, name, publicAddress }], 'address');
	if (item === undefined) throw new Error('The source was not stored.');
	return item;
}

function numberedName(pattern: string, number: number): string {
	const name = normaliseHost(pattern.replace('{n}', String(number)));
	if (name === undefined) throw new Error('The pattern was not checked before it came here.');
	return name;
}

interface NewSource {
	address: string;
	ehloDomain: string;
	name?: string | undefined;
	publicAddress?: string | null | undefined;
}

function insert(app: App, added: NewSource[], field: 'address' | 'cidr'): Promise<SourceItem[]> {
	return withConstraint({ unique: () => takenSource(field) }, () =>
		app.db.transaction(async (tx) => {
			await assertFreeSources(tx, added, { addressField: field });
			const named = await defaultNames(tx, added);
			const createdAt = app.clock();
			const rows = await tx
				.insert(sources)
				.values(named.map((source) => ({ ...source, createdAt })))
				.returning();
			return itemsOf(app, tx, rows);
		})
	);
}

/** A changed address or EHLO name makes a new source for KumoMTA: `kumoName` changes with it. */
export async function updateSource(
	app: App,
	{ id, version, ...fields }: z.infer<typeof updateInput>
): Promise<SourceItem> {
	return withConstraint({ unique: () => takenSource('address') }, () =>
		app.db.transaction(async (tx) => {
			const row = await getSource(tx, id, version);
			await assertFreeSources(tx, [fields], { addressField: 'address', exceptId: id });
			const [changed] = await tx
				.update(sources)
				.set({ ...given(fields), version: row.version + 1 })
				.where(eq(sources.id, id))
				.returning();
			const [item] = await itemsOf(app, tx, changed === undefined ? [] : [changed]);
			if (item === undefined) throw notFound('source');
			return item;
		})
	);
}

/** Refused while a pool uses the source. */
export async function removeSource(
	app: App,
	{ id, version }: { id: string; version?: number | undefined }
): Promise<{ id: string }> {
	return withConstraint({ foreignKey: () => inUse('a pool') }, () =>
		app.db.transaction(async (tx) => {
			await getSource(tx, id, version);
			const using = (await poolsOf(tx, [id])).map(({ name }) => name);
			if (using.length > 0) throw inUse(using.length === 1 ? `the pool ${using[0]}` : `the pools ${using.join(', ')}`);
			await tx.delete(sources).where(eq(sources.id, id));
			return { id };
		})
	);
}

function inUse(by: string): UserError {
	return new UserError(
		'PRECONDITION_FAILED',
		`This source is used by ${by}. It was not removed. Take it out there first.`,
		{
			reason: 'source-in-use'
		}
	);
}

/** The addresses of this machine, and which of them are sources already. */
export async function detectAddresses(app: App) {
	const found = app.host.interfaces();
	const known = await app.db.select({ id: sources.id, address: sources.address }).from(sources);
	const idOf = new Map(known.map(({ id, address }) => [address, id]));
	return {
		items: found.map(({ address, family, ...each }) => ({
			address,
			interface: each.interface,
			family,
			scope: addressScope(address),
			sourceId: idOf.get(canonicalAddress(address) ?? address) ?? null
		}))
	};
}

async function getSource(db: DbOrTransaction, id: string, version: number | undefined): Promise<Row> {
	const [row] = await db.select().from(sources).where(eq(sources.id, id)).limit(1);
	if (row === undefined) throw notFound('source');
	if (version !== undefined && version !== row.version) throw versionMoved('source');
	return row;
}

async function itemsOf(app: App, db: DbOrTransaction, rows: Row[]): Promise<SourceItem[]> {
	const here = new Set(app.host.interfaces().map(({ address }) => canonicalAddress(address) ?? address));
	const using = await poolsOf(
		db,
		rows.map(({ id }) => id)
	);
	const poolsUsing = Map.groupBy(using, ({ sourceId }) => sourceId);
	return rows.map((row) => ({
		...row,
		displayName: displayHost(row.ehloDomain),
		kumoName: kumoSourceName(row),
		isOnHost: here.has(row.address),
		pools: (poolsUsing.get(row.id) ?? []).map(({ id, name }) => ({ id, name }))
	}));
}

function poolsOf(db: DbOrTransaction, ids: string[]) {
	return db
		.select({ sourceId: poolSources.sourceId, id: pools.id, name: pools.name })
		.from(poolSources)
		.innerJoin(pools, eq(pools.id, poolSources.poolId))
		.where(inArray(poolSources.sourceId, ids))
		.orderBy(asc(pools.name));
}
