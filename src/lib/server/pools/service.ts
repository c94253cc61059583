import { and, asc, count, eq, inArray, lte } from 'drizzle-orm';
import type { z } from 'zod';
import type { App } from '../app.ts';
import type { DbOrTransaction } from '../core/database.ts';
import { notFound, UserError, versionMoved, withConstraint } from '../core/errors.ts';
import { follows, listPage, matchesText, ordered } from '../core/paging.ts';
import { removedSenders, senders } from '../senders/tables.ts';
import { settings } from '../settings/tables.ts';
import { sources } from '../sources/tables.ts';
import type {
	createPool as createInput,
	listPools as listInput,
	poolItem,
	updatePool as updateInput
} from './inputs.ts';
import { poolSources, pools, removedPools } from './tables.ts';

type Row = typeof pools.$inferSelect;
type Members = z.infer<typeof createInput>['sources'];
type PoolItem = z.infer<typeof poolItem>;

/** The longest that a message may stay in the spool (30 days): until then its pool and tenant must keep an answer. */
export const spooledForMs = 30 * 24 * 60 * 60_000;

const sortColumns = { name: pools.name, createdAt: pools.createdAt };

export async function listPools(db: DbOrTransaction, input: z.infer<typeof listInput>) {
	const { by, dir } = input.sort ?? { by: 'name', dir: 'asc' };
	const column = sortColumns[by];
	const where = matchesText(input.search, pools.name);
	const page = await listPage<Row>(input, {
		binding: null,
		key: (row) => [row[by], row.id],
		count: () =>
			db
				.select({ total: count() })
				.from(pools)
				.where(where)
				.then(([row]) => row?.total ?? 0),
		read: (after, limit) =>
			db
				.select()
				.from(pools)
				.where(and(where, follows(column, pools.id, dir, after)))
				.orderBy(...ordered(column, pools.id, dir))
				.limit(limit)
	});
	return { ...page, items: await itemsOf(db, page.items) };
}

export async function createPool(app: App, { name, sources: members }: z.infer<typeof createInput>): Promise<PoolItem> {
	return withConstraint({ unique: nameTaken }, () =>
		app.db.transaction(async (tx) => {
			const [row] = await tx.insert(pools).values({ name, createdAt: app.clock() }).returning();
			if (row === undefined) throw new Error('The pool was not stored.');
			await replaceMembers(tx, row.id, members);
			await tx.delete(removedPools).where(eq(removedPools.name, name));
			return itemOf(tx, row);
		})
	);
}

/** After a rename the old name stays as a tombstone, since spooled mail may still ask for it. */
export async function updatePool(
	app: App,
	{ id, version, name, sources: members }: z.infer<typeof updateInput>
): Promise<PoolItem> {
	return withConstraint({ unique: nameTaken }, () =>
		app.db.transaction(async (tx) => {
			const before = await getPool(tx, id, version);
			const [row] = await tx
				.update(pools)
				.set({ ...(name !== undefined && { name }), version: before.version + 1 })
				.where(eq(pools.id, id))
				.returning();
			if (row === undefined) throw notFound('pool');
			if (members !== undefined) await replaceMembers(tx, id, members);
			if (row.name !== before.name) {
				await tx.delete(removedPools).where(eq(removedPools.name, row.name));
				await keepName(tx, before.name, app.clock());
				await tx.update(removedSenders).set({ poolName: row.name }).where(eq(removedSenders.poolName, before.name));
			}
			return itemOf(tx, row);
		})
	);
}

/** Refused while senders use the pool or Settings name it as the default. */
export async function removePool(
	app: App,
	{ id, version }: { id: string; version?: number | undefined }
): Promise<{ id: string }> {
	return withConstraint({ foreignKey: () => inUse(['something else']) }, () =>
		app.db.transaction(async (tx) => {
			const item = await itemOf(tx, await getPool(tx, id, version));
			const uses = [
				...(item.senders > 0 ? [item.senders === 1 ? '1 sender' : `${item.senders} senders`] : []),
				...(item.isDefault ? ['Settings, as the default pool'] : [])
			];
			if (uses.length > 0) throw inUse(uses);
			await tx.delete(pools).where(eq(pools.id, id));
			await keepName(tx, item.name, app.clock());
			return { id };
		})
	);
}

/** Names whose last spooled message must be gone by now. */
export async function removeEndedPoolNames(app: App): Promise<void> {
	await app.db.delete(removedPools).where(lte(removedPools.keptUntilAt, app.clock()));
}

function inUse(uses: string[]): UserError {
	return new UserError(
		'PRECONDITION_FAILED',
		`This pool is used by ${uses.join(' and by ')}. It was not removed. Choose another pool there first.`,
		{
			reason: 'pool-in-use'
		}
	);
}

function nameTaken(): UserError {
	return new UserError('CONFLICT', 'Another pool has this name. Nothing was saved. Choose another name.', {
		reason: 'name-taken',
		field: 'name'
	});
}

async function keepName(db: DbOrTransaction, name: string, removedAt: number): Promise<void> {
	const row = { name, removedAt, keptUntilAt: removedAt + spooledForMs };
	await db.insert(removedPools).values(row).onConflictDoUpdate({ target: removedPools.name, set: row });
}

async function replaceMembers(db: DbOrTransaction, poolId: string, members: Members): Promise<void> {
	const ids = members.map(({ sourceId }) => sourceId);
	const known = new Set(
		(await db.select({ id: sources.id }).from(sources).where(inArray(sources.id, ids))).map(({ id }) => id)
	);
	const missing = ids.flatMap((id, index) => (known.has(id) ? [] : [`sources.${index}.sourceId`]));
	if (missing.length > 0) {
		const message = 'This source does not exist any more. Nothing was saved. Choose another.';
		throw new UserError('BAD_REQUEST', message, {
			reason: 'no-such-source',
			fieldErrors: Object.fromEntries(missing.map((field) => [field, [message]]))
		});
	}
	await db.delete(poolSources).where(eq(poolSources.poolId, poolId));
	await db.insert(poolSources).values(members.map((member) => ({ ...member, poolId })));
}

async function getPool(db: DbOrTransaction, id: string, version: number | undefined): Promise<Row> {
	const [row] = await db.select().from(pools).where(eq(pools.id, id)).limit(1);
	if (row === undefined) throw notFound('pool');
	if (version !== undefined && version !== row.version) throw versionMoved('pool');
	return row;
}

async function itemOf(db: DbOrTransaction, row: Row): Promise<PoolItem> {
	const [item] = await itemsOf(db, [row]);
	if (item === undefined) throw notFound('pool');
	return item;
}

async function itemsOf(db: DbOrTransaction, rows: Row[]): Promise<PoolItem[]> {
	const ids = rows.map(({ id }) => id);
	const members = await db
		.select({
			poolId: poolSources.poolId,
			sourceId: sources.id,
			name: sources.name,
			address: sources.address,
			ehloDomain: sources.ehloDomain,
			weight: poolSources.weight
		})
		.from(poolSources)
		.innerJoin(sources, eq(sources.id, poolSources.sourceId))
		.where(inArray(poolSources.poolId, ids))
		.orderBy(asc(sources.name));
	const used = await db
		.select({ poolId: senders.poolId, senders: count() })
		.from(senders)
		.where(inArray(senders.poolId, ids))
		.groupBy(senders.poolId);
	const [setting] = await db.select({ defaultPoolId: settings.defaultPoolId }).from(settings).limit(1);
	const membersOf = Map.groupBy(members, ({ poolId }) => poolId);
	return rows.map((row) => ({
		...row,
		sources: (membersOf.get(row.id) ?? []).map(({ poolId: _, ...member }) => member),
		senders: used.find(({ poolId }) => poolId === row.id)?.senders ?? 0,
		isDefault: setting?.defaultPoolId === row.id
	}));
}
