import { and, eq, sql } from 'drizzle-orm';
import type { z } from 'zod';
import { counted } from '../../shared/counted.ts';
import type { App } from '../app.ts';
import { keepMailOfDomain } from '../bounces/service.ts';
import { bounceAccounts } from '../bounces/tables.ts';
import type { Db, DbOrTransaction } from '../core/database.ts';
import { notFound, UserError, versionMoved, withConstraint } from '../core/errors.ts';
import { given, normaliseHost } from '../core/inputs.ts';
import { follows, listPage, searchIndexed, ordered } from '../core/paging.ts';
import { removeSendersOfDomain } from '../senders/service.ts';
import type * as inputs from './inputs.ts';
import { itemOf, itemsOf } from './items.ts';
import type { DomainItem } from './items.ts';
import { assertFreeNames, nameTaken } from './names.ts';
import { domains } from './tables.ts';

type Row = typeof domains.$inferSelect;

const sortColumns = { name: domains.name, createdAt: domains.createdAt };

export async function listDomains(db: Db, input: z.infer<typeof inputs.listDomains>) {
	const { by, dir } = input.sort ?? { by: 'name', dir: 'asc' };
	const column = sortColumns[by];
	const found = await searchIndexed(db, input.search, {
		column: domains.name,
		seq: domains.seq,
		index: 'domains_search'
	});
	const page = await listPage<Row>(input, {
		binding: null,
		key: (row) => [row[by], row.seq],
		count: async () => found.hits ?? db.$count(domains, found.where),
		read: (after, limit) =>
			db
				.select()
				.from(domains)
				.where(and(found.where, follows(column, domains.seq, dir, after)))
				.orderBy(...ordered(column, domains.seq, dir))
				.limit(limit)
	});
	return { ...page, items: await itemsOf(db, page.items) };
}

export async function getDomain(db: DbOrTransaction, id: string): Promise<DomainItem> {
	return itemOf(db, await getDomainRow(db, id));
}

/** @throws UserError NOT_FOUND, or version-moved when the caller saw another version. */
export async function getDomainRow(db: DbOrTransaction, id: string, version?: number): Promise<Row> {
	const [row] = await db.select().from(domains).where(eq(domains.id, id)).limit(1);
	if (row === undefined) throw notFound('domain');
	if (version !== undefined && version !== row.version) throw versionMoved('domain');
	return row;
}

export async function createDomain(app: App, input: z.infer<typeof inputs.createDomain>): Promise<DomainItem> {
	return withConstraint({ unique: () => nameTaken('name') }, () =>
		app.db.transaction(async (tx) => itemOf(tx, await addDomain(tx, input, app.clock())))
	);
}

/**
 * One domain inside the caller's transaction. `input` is parsed: normalised and within its limits.
 * @throws UserError beside `name` or `bounceHost` when one of them is taken.
 */
async function addDomain(
	db: DbOrTransaction,
	input: z.infer<typeof inputs.createDomain>,
	createdAt: number
): Promise<Row> {
	const { name, bounceHost = `bounce.${name}` } = input;
	await assertFreeNames(db, { name, bounceHost });
	const [row] = await db
		.insert(domains)
		.values({
			name,
			bounceHost,
			acceptAnyReturnPath: input.acceptAnyReturnPath ?? true,
			reportFailures: input.reportFailures ?? true,
			suppression: input.suppression ?? true,
			complaintAddress: input.complaintAddress ?? null,
			dmarc: input.dmarc ?? { policy: 'none' },
			createdAt
		})
		.returning();
	if (row === undefined) throw new Error('The domain was not stored.');
	return row;
}

/**
 * Bounce accounts move with the bounce host: they keep their mail and get their address there. Reports to the old host
 * for mail that is under way are refused from the next policy on.
 */
export async function updateDomain(
	app: App,
	{ id, version, ...fields }: z.infer<typeof inputs.updateDomain>
): Promise<DomainItem> {
	return withConstraint({ unique: () => nameTaken('bounceHost') }, () =>
		app.db.transaction(async (tx) => {
			const before = await getDomainRow(tx, id, version);
			const { bounceHost = before.bounceHost } = fields;
			const moves = bounceHost !== before.bounceHost;
			if (moves) await assertFreeNames(tx, { bounceHost, name: before.name, exceptId: id });
			const [row] = await tx
				.update(domains)
				.set({ ...given(fields), version: before.version + 1 })
				.where(eq(domains.id, id))
				.returning();
			if (row === undefined) throw notFound('domain');
			if (moves) await moveBounceAccounts(tx, row);
			return itemOf(tx, row);
		})
	);
}

function moveBounceAccounts(db: DbOrTransaction, { id, bounceHost }: Row) {
	return db
		.update(bounceAccounts)
		.set({
			address: sql`${bounceAccounts.localPart} || '@' || ${bounceHost}`,
			version: sql`${bounceAccounts.version} + 1`
		})
		.where(eq(bounceAccounts.domainId, id));
}

/** What goes with a domain when it is removed. */
export async function domainImpact(db: DbOrTransaction, id: string): Promise<z.infer<typeof inputs.domainImpact>> {
	const { senders: senderCount, keys, bounceAccounts: accounts } = await getDomain(db, id);
	return { senders: senderCount, keys, bounceAccounts: accounts };
}

/**
 * Removes a domain with its senders, keys and bounce accounts in one step. Its senders' tenants stay as tombstones while
 * their spooled mail still needs a pool; its selectors stay used for ever.
 */
export async function removeDomain(
	app: App,
	{ id, version, confirm }: z.infer<typeof inputs.removeDomain>
): Promise<{ id: string }> {
	return app.db.transaction(async (tx) => {
		const { name } = await getDomainRow(tx, id, version);
		const impact = await domainImpact(tx, id);
		if (Object.values(impact).some((count) => count > 0) && normaliseHost(confirm ?? '') !== name)
			throw unconfirmed(name, impact);
		await removeSendersOfDomain(tx, id, app.clock());
		await keepMailOfDomain(tx, id, app.clock());
		await tx.delete(domains).where(eq(domains.id, id));
		return { id };
	});
}

function unconfirmed(
	name: string,
	{ senders: senderCount, keys, bounceAccounts: accounts }: z.infer<typeof inputs.domainImpact>
): UserError {
	return new UserError(
		'PRECONDITION_FAILED',
		`With ${name} go ${counted(senderCount, 'sender')}, ${counted(keys, 'DKIM key')} and ${counted(accounts, 'bounce account')}. Nothing was removed. Type the name of the domain to confirm.`,
		{ reason: 'confirm-needed', field: 'confirm' }
	);
}
