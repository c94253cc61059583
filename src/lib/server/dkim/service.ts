import { and, count, eq, lte } from 'drizzle-orm';
import type { z } from 'zod';
import type { App } from '../app.ts';
import { auditJob } from '../audit/service.ts';
import type { DbOrTransaction } from '../core/database.ts';
import { notFound, UserError, versionMoved } from '../core/errors.ts';
import { follows, listPage, matchesText, ordered } from '../core/paging.ts';
import { getDomainRow } from '../domains/service.ts';
import { domains } from '../domains/tables.ts';
import type * as inputs from './inputs.ts';
import { generateKeyMaterial, importKeyMaterial } from './key-material.ts';
import type { KeyMaterial } from './key-material.ts';
import { publicRecord } from './public-record.ts';
import { nextSelector, takeSelector } from './selectors.ts';
import { dkimKeys } from './tables.ts';

export { keyProgress, requestKeys } from './key-requests.ts';

type Row = typeof dkimKeys.$inferSelect;
type KeyItem = z.infer<typeof inputs.keyItem>;

/**
 * How long a key stays published after it signed its last message (7 days): spooled mail keeps its signature while it is
 * retried for days, and receivers and resolvers verify later from what they find then.
 */
const retiringForMs = 7 * 24 * 60 * 60_000;

/** What a sealed private key is bound to: it opens for this domain and selector only. */
export function dkimKeyPurpose(domainName: string, selector: string): string {
	return `dkim:${domainName}:${selector}`;
}

export async function listKeys(app: App, input: z.infer<typeof inputs.listKeys>) {
	const { name } = await getDomainRow(app.db, input.domainId);
	const { by, dir } = input.sort ?? { by: 'createdAt', dir: 'desc' };
	const column = { createdAt: dkimKeys.createdAt, selector: dkimKeys.selector }[by];
	const where = and(eq(dkimKeys.domainId, input.domainId), matchesText(input.search, dkimKeys.selector));
	const page = await listPage<Row>(input, {
		binding: input.domainId,
		key: (row) => [row[by], row.id],
		count: () => app.db.$count(dkimKeys, where),
		read: (after, limit) =>
			app.db
				.select()
				.from(dkimKeys)
				.where(and(where, follows(column, dkimKeys.id, dir, after)))
				.orderBy(...ordered(column, dkimKeys.id, dir))
				.limit(limit)
	});
	return { ...page, items: page.items.map((row) => itemOf(app, row, name)) };
}

export async function generateKey(
	app: App,
	{ domainId, algorithm, selector }: z.infer<typeof inputs.generateKey>
): Promise<KeyItem> {
	await getDomainRow(app.db, domainId);
	const material = await generateKeyMaterial(algorithm);
	return app.db.transaction((tx) => addKey(app, tx, { domainId, selector, material }));
}

export async function importKey(
	app: App,
	{ domainId, selector, pem }: z.infer<typeof inputs.importKey>
): Promise<KeyItem> {
	const material = importKeyMaterial(pem);
	return app.db.transaction((tx) => addKey(app, tx, { domainId, selector, material }));
}

interface NewKey {
	domainId: string;
	selector?: string | undefined;
	material: KeyMaterial;
	isActive?: boolean;
}

/** Stores a key, `pending` unless told: then it signs nothing until it is activated. */
export async function addKey(
	app: App,
	db: DbOrTransaction,
	{ domainId, selector, material, isActive = false }: NewKey
): Promise<KeyItem> {
	const { name } = await getDomainRow(db, domainId);
	const chosen = selector ?? (await nextSelector(db, name));
	const createdAt = app.clock();
	await takeSelector(db, { domainName: name, selector: chosen, usedAt: createdAt });
	const { algorithm, publicKey, privateKey, privateKeyHash } = material;
	const sealedPrivateKey = app.keys.applier.seal(privateKey, dkimKeyPurpose(name, chosen));
	const [row] = await db
		.insert(dkimKeys)
		.values({
			domainId,
			selector: chosen,
			algorithm,
			state: isActive ? 'active' : 'pending',
			activatedAt: isActive ? createdAt : null,
			publicKey,
			sealedPrivateKey,
			privateKeyHash,
			createdAt,
			dnsStatus: 'unknown'
		})
		.returning();
	if (row === undefined) throw new Error('The key was not stored.');
	return itemOf(app, row, name);
}

/** Lets a pending key sign with the next policy. The DNS is not asked: `dnsStatus` says what the last check saw. */
export async function activateKey(app: App, { id, version }: z.infer<typeof inputs.changeKey>): Promise<KeyItem> {
	return app.db.transaction(async (tx) => {
		const row = await getKey(tx, id, version);
		const state = stateOf(app, row);
		if (state === 'active') return itemOf(app, row, row.domainName);
		if (state !== 'pending')
			throw wrongState(`A ${state} key does not sign again. Nothing was changed. Generate a new one.`);
		return change(app, tx, row, { state: 'active', activatedAt: app.clock() });
	});
}

/** Ends an active key's signing. Its record must stay published until `removableAt`. */
export async function retireKey(app: App, { id, version }: z.infer<typeof inputs.changeKey>): Promise<KeyItem> {
	return app.db.transaction(async (tx) => {
		const row = await getKey(tx, id, version);
		const state = stateOf(app, row);
		if (state === 'pending') throw wrongState('This key never signed. Nothing was changed. Remove it instead.');
		if (state !== 'active') return itemOf(app, row, row.domainName);
		const retiredAt = app.clock();
		return change(app, tx, row, { state: 'retiring', retiredAt, removableAt: retiredAt + retiringForMs });
	});
}

/** Removes a pending or retired key; an active or retiring one only with `force`. Its selector stays used. */
export async function removeKey(
	app: App,
	{ id, version, force = false }: z.infer<typeof inputs.removeKey>
): Promise<{ id: string }> {
	return app.db.transaction(async (tx) => {
		const row = await getKey(tx, id, version);
		const state = stateOf(app, row);
		if (!force && (state === 'active' || state === 'retiring')) throw keyInUse(row, state);
		await tx.delete(dkimKeys).where(eq(dkimKeys.id, id));
		return { id };
	});
}

function keyInUse(
	{ selector, domainName, removableAt }: Row & { domainName: string },
	state: 'active' | 'retiring'
): UserError {
	const breaks =
		state === 'active'
			? `${selector} signs the mail of ${domainName}: without it that mail is not signed by this key any more, and a domain without an active key cannot send. Nothing was removed. Retire it first`
			: `Mail signed with ${selector} may still be under way until ${new Date(removableAt ?? 0).toISOString().slice(0, 10)}. Nothing was removed. Wait until then`;
	return new UserError('PRECONDITION_FAILED', `${breaks}, or remove it by force.`, {
		reason: 'key-in-use',
		field: 'force'
	});
}

function wrongState(message: string): UserError {
	return new UserError('PRECONDITION_FAILED', message, { reason: 'wrong-state' });
}

/** Turns keys whose time is over from `retiring` to `retired`. */
export async function endRetirements(app: App): Promise<void> {
	const ended = await app.db
		.update(dkimKeys)
		.set({ state: 'retired' })
		.where(and(eq(dkimKeys.state, 'retiring'), lte(dkimKeys.removableAt, app.clock())))
		.returning({ id: dkimKeys.id, selector: dkimKeys.selector });
	for (const { id, selector } of ended)
		await auditJob(app, { job: 'dkim.end-retirements', action: 'dkim.endRetirement', target: id, input: { selector } });
}

/** Whether a domain has a key that signs. */
export async function hasActiveKey(db: DbOrTransaction, domainId: string): Promise<boolean> {
	const [row] = await db
		.select({ keys: count() })
		.from(dkimKeys)
		.where(and(eq(dkimKeys.domainId, domainId), eq(dkimKeys.state, 'active')));
	return (row?.keys ?? 0) > 0;
}

async function getKey(db: DbOrTransaction, id: string, version: number | undefined) {
	const [found] = await db
		.select({ key: dkimKeys, domainName: domains.name })
		.from(dkimKeys)
		.innerJoin(domains, eq(domains.id, dkimKeys.domainId))
		.where(eq(dkimKeys.id, id))
		.limit(1);
	if (found === undefined) throw notFound('key');
	if (version !== undefined && version !== found.key.version) throw versionMoved('key');
	return { ...found.key, domainName: found.domainName };
}

async function change(
	app: App,
	db: DbOrTransaction,
	{ id, version, domainName }: Row & { domainName: string },
	fields: Partial<Row>
): Promise<KeyItem> {
	const [row] = await db
		.update(dkimKeys)
		.set({ ...fields, version: version + 1 })
		.where(eq(dkimKeys.id, id))
		.returning();
	if (row === undefined) throw notFound('key');
	return itemOf(app, row, domainName);
}

function stateOf(app: App, { state, removableAt }: Row): Row['state'] {
	return state === 'retiring' && removableAt !== null && removableAt <= app.clock() ? 'retired' : state;
}

/** The private half, sealed as it is, stays behind. */
function itemOf(app: App, row: Row, domainName: string): KeyItem {
	return {
		id: row.id,
		domainId: row.domainId,
		selector: row.selector,
		algorithm: row.algorithm,
		state: stateOf(app, row),
		publicRecord: publicRecord({ domainName, ...row }),
		dnsStatus: row.dnsStatus,
		dnsCheckedAt: row.dnsCheckedAt,
		createdAt: row.createdAt,
		activatedAt: row.activatedAt,
		retiredAt: row.retiredAt,
		removableAt: row.removableAt,
		version: row.version
	};
}
