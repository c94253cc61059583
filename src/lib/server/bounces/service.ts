import { and, eq, getTableColumns, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import type { z } from 'zod';
import type { App } from '../app.ts';
import { nextVersion } from '../core/columns.ts';
import type { DbOrTransaction } from '../core/database.ts';
import { notFound, UserError, versionMoved, withConstraint } from '../core/errors.ts';
import { displayAddress, given } from '../core/inputs.ts';
import { follows, listPage, matchesText, ordered } from '../core/paging.ts';
import type { Page } from '../core/paging.ts';
import { domains } from '../domains/tables.ts';
import { createCredential } from './credential.ts';
import type * as inputs from './inputs.ts';
import { problemOf } from './mailbox-state.ts';
import { bounceAccounts, bounceMailboxes, removedMailboxes } from './tables.ts';

type BounceItem = z.infer<typeof inputs.bounceItem>;
type WithPassword = z.infer<typeof inputs.bounceWithPassword>;

const { passwordHash: _, ...readable } = getTableColumns(bounceAccounts);

/** What a list reads: the hash never leaves the database this way. */
const columns = {
	...readable,
	hasPassword: sql<number>`(bounce_accounts.password_hash is not null)`,
	domainName: sql<string>`(select d.name from domains d where d.id = bounce_accounts.domain_id)`,
	messages: bounceMailboxes.messages,
	bytes: bounceMailboxes.bytes,
	newestAt: bounceMailboxes.newestAt,
	scannedAt: bounceMailboxes.scannedAt,
	error: bounceMailboxes.error
};

const readRows = (db: DbOrTransaction) =>
	db.select(columns).from(bounceAccounts).leftJoin(bounceMailboxes, eq(bounceMailboxes.accountId, bounceAccounts.id));
type Row = Awaited<ReturnType<typeof readRows>>[number];

export async function listBounces(
	db: DbOrTransaction,
	input: z.infer<typeof inputs.listBounces>
): Promise<Page<BounceItem>> {
	const { by, dir } = input.sort ?? { by: 'address', dir: 'asc' };
	const column = bounceAccounts[by];
	const where = and(
		input.domainId === undefined ? undefined : eq(bounceAccounts.domainId, input.domainId),
		matchesText(input.search, bounceAccounts.address)
	);
	const page = await listPage<Row>(input, {
		binding: input.domainId ?? null,
		key: (row) => [row[by], row.id],
		count: () => db.$count(bounceAccounts, where),
		read: (after, limit) =>
			readRows(db)
				.where(and(where, follows(column, bounceAccounts.id, dir, after)))
				.orderBy(...ordered(column, bounceAccounts.id, dir))
				.limit(limit)
	});
	return { ...page, items: page.items.map(itemOf) };
}

export async function getBounce(db: DbOrTransaction, id: string): Promise<BounceItem> {
	return itemOf(await getRow(db, id));
}

/** Makes an account at the domain's bounce host. The answer holds the password only when the panel made it. */
export async function createBounce(app: App, input: z.infer<typeof inputs.createBounce>): Promise<WithPassword> {
	const now = app.clock();
	const { password, ...plain } = input;
	const { columns: credential, generated } = await createCredential(password, now);
	const item = await withConstraint({ unique: addressTaken }, () =>
		app.db.transaction(async (tx) => {
			const address = addressOf(input.localPart, await getBounceHost(tx, input.domainId));
			const [stored] = await tx
				.insert(bounceAccounts)
				.values({ ...plain, ...credential, address, createdAt: now })
				.returning({ id: bounceAccounts.id });
			return itemOf(await getRow(tx, stored?.id ?? ''));
		})
	);
	return generated === undefined ? item : { ...item, password: generated.open() };
}

export async function updateBounce(app: App, input: z.infer<typeof inputs.updateBounce>): Promise<BounceItem> {
	const { id, version, ...fields } = input;
	return change(app, { id, version }, given(fields));
}

/** Sets, makes (absent) or clears (null) the password that opens the mailbox. */
export async function setPassword(app: App, input: z.infer<typeof inputs.setPassword>): Promise<WithPassword> {
	const { columns: credential, generated } = await createCredential(input.password, app.clock());
	const item = await change(app, input, credential);
	return generated === undefined ? item : { ...item, password: generated.open() };
}

/** Its mail stays where it is for 7 days, or goes with the job's next run when that is asked. */
export async function removeBounce(
	app: App,
	{ deleteMail, ...seen }: z.infer<typeof inputs.removeBounce>
): Promise<{ id: string; keptUntilAt: number }> {
	const now = app.clock();
	const keptUntilAt = deleteMail ? now : now + mailKeptMs;
	return app.db.transaction(async (tx) => {
		await getSeen(tx, seen);
		await buryWhere(tx, eq(bounceAccounts.id, seen.id), { removedAt: now, keptUntilAt });
		await tx.delete(bounceAccounts).where(eq(bounceAccounts.id, seen.id));
		return { id: seen.id, keptUntilAt };
	});
}

/** For the transaction that removes a domain, whose accounts go with it. */
export async function keepMailOfDomain(tx: DbOrTransaction, domainId: string, now: number): Promise<void> {
	const times = { removedAt: now, keptUntilAt: now + mailKeptMs };
	await buryWhere(tx, eq(bounceAccounts.domainId, domainId), times);
}

const mailKeptMs = 7 * 24 * 60 * 60_000;

async function buryWhere(
	tx: DbOrTransaction,
	which: SQL,
	{ removedAt, keptUntilAt }: { removedAt: number; keptUntilAt: number }
): Promise<void> {
	await tx
		.insert(removedMailboxes)
		.select(
			tx
				.select({
					id: bounceAccounts.id,
					address: bounceAccounts.address,
					removedAt: sql<number>`${removedAt}`.as('removed_at'),
					keptUntilAt: sql<number>`${keptUntilAt}`.as('kept_until_at')
				})
				.from(bounceAccounts)
				.where(which)
		)
		.onConflictDoNothing();
}

interface Seen {
	id: string;
	version?: number | undefined;
}

async function change(app: App, seen: Seen, fields: Partial<typeof bounceAccounts.$inferInsert>): Promise<BounceItem> {
	return app.db.transaction(async (tx) => {
		await getSeen(tx, seen);
		await tx
			.update(bounceAccounts)
			.set({ ...fields, version: nextVersion })
			.where(eq(bounceAccounts.id, seen.id));
		return itemOf(await getRow(tx, seen.id));
	});
}

async function getSeen(tx: DbOrTransaction, { id, version }: Seen): Promise<void> {
	const row = await getRow(tx, id);
	if (version !== undefined && version !== row.version) throw versionMoved('bounce account');
}

async function getRow(db: DbOrTransaction, id: string): Promise<Row> {
	const [row] = await readRows(db).where(eq(bounceAccounts.id, id)).limit(1);
	if (row === undefined) throw notFound('bounce account');
	return row;
}

async function getBounceHost(tx: DbOrTransaction, id: string): Promise<string> {
	const [domain] = await tx.select({ host: domains.bounceHost }).from(domains).where(eq(domains.id, id)).limit(1);
	if (domain !== undefined) return domain.host;
	throw new UserError('BAD_REQUEST', 'This domain does not exist any more. Nothing was saved. Choose another.', {
		reason: 'no-such-domain',
		field: 'domainId'
	});
}

/** RFC 5321 4.5.3.1.3: a path holds at most 256 octets with its angle brackets. */
function addressOf(localPart: string, host: string): string {
	const address = `${localPart}@${host}`;
	if (address.length <= 254) return address;
	throw new UserError('BAD_REQUEST', 'The whole address may have at most 254 characters.', {
		reason: 'address-too-long',
		field: 'localPart'
	});
}

function addressTaken(): UserError {
	return new UserError('CONFLICT', 'There is already a bounce account with this address. No second one was made.', {
		reason: 'address-taken',
		field: 'localPart'
	});
}

function itemOf(row: Row): BounceItem {
	const { hasPassword, domainName, passwordGenerated, passwordSetAt, ...plain } = row;
	const { messages, bytes, newestAt, scannedAt, error, ...account } = plain;
	return {
		...account,
		domain: { id: row.domainId, name: domainName },
		displayName: displayAddress(row.address),
		credential: { isSet: hasPassword === 1, setAt: passwordSetAt, generated: passwordGenerated === true },
		mailbox: {
			messages: messages ?? 0,
			bytes: bytes ?? 0,
			newestAt,
			scannedAt,
			problem: error === null ? null : problemOf(error)
		}
	};
}
