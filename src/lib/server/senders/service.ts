import { and, eq, getTableColumns, lt, sql } from 'drizzle-orm';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { z } from 'zod';
import type { App } from '../app.ts';
import { nextVersion } from '../core/columns.ts';
import type { DbOrTransaction } from '../core/database.ts';
import { notFound, UserError, versionMoved, withConstraint } from '../core/errors.ts';
import { displayAddress, given } from '../core/inputs.ts';
import { follows, listPage, searchIndexed, ordered } from '../core/paging.ts';
import type { Page } from '../core/paging.ts';
import { domains } from '../domains/tables.ts';
import { pools } from '../pools/tables.ts';
import { numberedTenants } from './bulk.ts';
import { createCredential } from './credential.ts';
import type * as inputs from './inputs.ts';
import { removedSenders, senders } from './tables.ts';
import { freeTenant, tenantName } from './tenant.ts';

export { findSenders, writeSenders } from './bulk.ts';
export type { SenderToWrite, StoredSender } from './bulk.ts';
export { createCredential } from './credential.ts';
export { chosenPassword } from './inputs.ts';

type SenderItem = z.infer<typeof inputs.senderItem>;
type WithPassword = z.infer<typeof inputs.senderWithPassword>;
type Limits = z.infer<typeof inputs.createSender>['limits'];

const dayMs = 86_400_000;

const { passwordSalt: _, passwordVerifier: __, passwordIterations: ___, ...readable } = getTableColumns(senders);

/** What a list reads: the salt and the verifier never leave the database this way. */
const columns = {
	...readable,
	hasPassword: sql<number>`(senders.password_verifier is not null)`,
	domainName: sql<string>`(select d.name from domains d where d.id = senders.domain_id)`,
	poolName: sql<string>`(select p.name from pools p where p.id = senders.pool_id)`
};

const readRows = (db: DbOrTransaction) => db.select(columns).from(senders);
type Row = Awaited<ReturnType<typeof readRows>>[number];

export async function listSenders(
	db: DbOrTransaction,
	input: z.infer<typeof inputs.listSenders>
): Promise<Page<SenderItem>> {
	const { by, dir } = input.sort ?? { by: 'address', dir: 'asc' };
	const column = by === 'address' ? senders.address : senders.createdAt;
	const found = await searchIndexed(db, input.search, {
		column: senders.address,
		seq: senders.seq,
		index: 'senders_search'
	});
	const where = and(input.domainId === undefined ? undefined : eq(senders.domainId, input.domainId), found.where);
	const page = await listPage<Row>(input, {
		binding: input.domainId ?? null,
		key: (row) => [row[by], row.seq],
		count: async () => (input.domainId === undefined ? found.hits : undefined) ?? db.$count(senders, where),
		read: (after, limit) =>
			readRows(db)
				.where(and(where, follows(column, senders.seq, dir, after)))
				.orderBy(...ordered(column, senders.seq, dir))
				.limit(limit)
	});
	return { ...page, items: page.items.map(itemOf) };
}

/** @throws UserError NOT_FOUND no-such-sender */
export async function getSender(db: DbOrTransaction, id: string): Promise<SenderItem> {
	return itemOf(await getRow(db, id));
}

async function getRow(db: DbOrTransaction, id: string): Promise<Row> {
	const [row] = await readRows(db).where(eq(senders.id, id)).limit(1);
	if (row === undefined) throw notFound('sender');
	return row;
}

/** Makes a sender and its tenant. The answer holds the password only when the panel made it. */
export async function createSender(app: App, input: z.infer<typeof inputs.createSender>): Promise<WithPassword> {
	const now = app.clock();
	const { password, limits, localPart, ...plain } = input;
	const { columns: credential, generated } = await createCredential(password, now);
	const item = await withConstraint({ unique: addressTaken }, () =>
		app.db.transaction(async (tx) => {
			const domain = await getDomainName(tx, input.domainId);
			await assertPool(tx, input.poolId);
			const address = addressOf(localPart, domain);
			const tenant = await findFreeTenant(tx, tenantName(localPart, domain));
			const row = { ...plain, ...credential, ...limitColumns(limits), localPart, address, tenant, createdAt: now };
			const [stored] = await tx.insert(senders).values(row).returning({ id: senders.id });
			return getSender(tx, stored?.id ?? '');
		})
	);
	return generated === undefined ? item : { ...item, password: generated.open() };
}

/** Changes what was given. The address and the tenant stay: spooled mail knows them. */
export async function updateSender(app: App, input: z.infer<typeof inputs.updateSender>): Promise<SenderItem> {
	const { id, version, limits, ...plain } = input;
	return app.db.transaction(async (tx) => {
		const row = await getRow(tx, id);
		if (version !== undefined && version !== row.version) throw versionMoved('sender');
		if (plain.poolId !== undefined) await assertPool(tx, plain.poolId);
		await tx
			.update(senders)
			.set({ ...given(plain), ...(limits !== undefined && limitColumns(limits)), version: nextVersion })
			.where(eq(senders.id, id));
		return getSender(tx, id);
	});
}

/** Sets, makes (absent) or clears (null) the password under which the sender signs in. */
export async function setPassword(app: App, input: z.infer<typeof inputs.setPassword>): Promise<WithPassword> {
	const { columns: credential, generated } = await createCredential(input.password, app.clock());
	const item = await app.db.transaction(async (tx) => {
		const row = await getRow(tx, input.id);
		if (input.version !== undefined && input.version !== row.version) throw versionMoved('sender');
		await tx
			.update(senders)
			.set({ ...credential, version: nextVersion })
			.where(eq(senders.id, input.id));
		return getSender(tx, input.id);
	});
	return generated === undefined ? item : { ...item, password: generated.open() };
}

/** Removes a sender and keeps its tenant with its last pool while mail of it may still be waiting. */
export async function removeSender(
	app: App,
	{ id, version }: { id: string; version?: number | undefined }
): Promise<z.infer<typeof inputs.removedSender>> {
	return app.db.transaction(async (tx) => {
		const row = await getRow(tx, id);
		if (version !== undefined && version !== row.version) throw versionMoved('sender');
		const now = app.clock();
		await buryWhere(tx, sql`senders.id = ${id}`, now);
		await tx.delete(senders).where(eq(senders.id, id));
		return { id, keptUntilAt: now + keptMs(row.maxAgeSeconds) };
	});
}

/** Some ten milliseconds of the event loop each. */
const removedAtOnce = 250;

/** Removes every sender of a domain the same way; for the transaction that removes the domain. Answers how many. */
export async function removeSendersOfDomain(tx: DbOrTransaction, domainId: string, now: number): Promise<number> {
	const some = sql`senders.seq in
		(select seq from senders where domain_id = ${domainId} order by address limit ${removedAtOnce})`;
	for (let removed = 0; ;) {
		await buryWhere(tx, some, now);
		const { rowsAffected } = await tx.delete(senders).where(some);
		removed += rowsAffected;
		if (rowsAffected < removedAtOnce) return removed;
		await nextTurn();
	}
}

/** Drops the names of removed senders whose mail can't be waiting any more. */
export async function removeOldTombstones(app: App): Promise<void> {
	await app.db.delete(removedSenders).where(lt(removedSenders.keptUntilAt, app.clock()));
}

/** A message waits for its maximum age: at least 7 days are kept, at most 30, in milliseconds. */
const keptMs = (maxAgeSeconds: number | null) => Math.min(Math.max((maxAgeSeconds ?? 0) * 1000, 7 * dayMs), 30 * dayMs);

async function buryWhere(tx: DbOrTransaction, which: ReturnType<typeof sql>, now: number): Promise<void> {
	await tx.run(sql`insert or replace into removed_senders (tenant, pool_name, removed_at, kept_until_at)
		select tenant, (select p.name from pools p where p.id = senders.pool_id), ${now},
			${now} + min(max(coalesce(max_age_seconds, 0) * 1000, ${7 * dayMs}), ${30 * dayMs})
		from senders where ${which}`);
}

async function getDomainName(tx: DbOrTransaction, id: string): Promise<string> {
	const [domain] = await tx.select({ name: domains.name }).from(domains).where(eq(domains.id, id)).limit(1);
	if (domain !== undefined) return domain.name;
	throw new UserError('BAD_REQUEST', 'This domain does not exist any more. Nothing was saved. Choose another.', {
		reason: 'no-such-domain',
		field: 'domainId'
	});
}

async function assertPool(tx: DbOrTransaction, id: string): Promise<void> {
	if ((await tx.$count(pools, eq(pools.id, id))) > 0) return;
	throw new UserError('BAD_REQUEST', 'This pool does not exist any more. Nothing was saved. Choose another.', {
		reason: 'no-such-pool',
		field: 'poolId'
	});
}

/** RFC 5321 4.5.3.1.3: a path holds at most 256 octets with its angle brackets. */
export function addressOf(localPart: string, domain: string): string {
	const address = `${localPart}@${domain}`;
	if (address.length <= 254) return address;
	throw new UserError('BAD_REQUEST', 'The whole address may have at most 254 characters.', {
		reason: 'address-too-long',
		field: 'localPart'
	});
}

function addressTaken(): UserError {
	return new UserError('CONFLICT', 'There is already a sender with this address. No second one was made.', {
		reason: 'address-taken',
		field: 'localPart'
	});
}

async function findFreeTenant(tx: DbOrTransaction, name: string): Promise<string> {
	return freeTenant(name, new Set(await numberedTenants(tx, name)));
}

function limitColumns(limits: Limits): Pick<Row, 'limitCount' | 'limitUnit'> {
	const [unit, count] = Object.entries(limits ?? {}).find(([, each]) => each !== undefined) ?? [];
	return { limitCount: count ?? null, limitUnit: (unit as Row['limitUnit']) ?? null };
}

function itemOf(row: Row): SenderItem {
	const {
		seq: _seq,
		limitCount,
		limitUnit,
		hasPassword,
		domainName,
		poolName,
		passwordGenerated,
		passwordSetAt,
		...plain
	} = row;
	return {
		...plain,
		displayName: displayAddress(row.address),
		domain: { id: row.domainId, name: domainName },
		pool: { id: row.poolId, name: poolName },
		limits: limitUnit === null ? null : { [limitUnit]: limitCount },
		credential: { isSet: hasPassword === 1, setAt: passwordSetAt, generated: passwordGenerated === true }
	};
}
