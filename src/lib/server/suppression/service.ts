import { and, eq, gt, inArray, isNull, or } from 'drizzle-orm';
import type { z } from 'zod';
import type { App } from '../app.ts';
import type { DbOrTransaction } from '../core/database.ts';
import { notFound, UserError, versionMoved } from '../core/errors.ts';
import { emailAddress } from '../core/inputs.ts';
import type { Caller } from '../core/trpc.ts';
import { domains } from '../domains/tables.ts';
import { countKnown, dropEntries, putEntries } from './entries.ts';
import type * as inputs from './inputs.ts';
import { itemOf, readItems, seqOf } from './item.ts';
import type { SuppressionItem } from './item.ts';
import { suppressions } from './tables.ts';

export { getFilesState } from './files-state.ts';
export { inspectFile } from './read-file.ts';
export { strike } from './strike.ts';
export { stageSuppressionFile, suppressionRoots } from './write-file.ts';

export async function getSuppression(db: DbOrTransaction, id: string): Promise<SuppressionItem> {
	const [row] = await readItems(db)
		.where(eq(suppressions.seq, seqOf(id)))
		.limit(1);
	if (row === undefined) throw notFound('suppression');
	return itemOf(row);
}

/** Says whether mail to an address is refused, and shows the entries that speak of it. */
export async function checkSuppression(
	app: App,
	{ address, domainId }: z.infer<typeof inputs.checkSuppression>
): Promise<z.infer<typeof inputs.checked>> {
	const scopes = domainId === undefined ? undefined : ['', await getScope(app.db, domainId)];
	const rows = await readItems(app.db)
		.where(
			and(
				eq(suppressions.address, address),
				scopes === undefined ? undefined : inArray(suppressions.scope, scopes),
				or(isNull(suppressions.expiresAt), gt(suppressions.expiresAt, app.clock()))
			)
		)
		.orderBy(suppressions.scope)
		.limit(200);
	const entries = rows.map(itemOf);
	const suppressed = entries.some(({ domain }) => domain === null || domain.id === domainId);
	return { address, suppressed, entries };
}

/** Puts one address on a list by hand. What was learned about it stays as its evidence. */
export async function addSuppression(
	app: App,
	caller: Caller,
	{ address, domainId, note, expiresAt = null }: z.infer<typeof inputs.addSuppression>
): Promise<SuppressionItem> {
	const now = app.clock();
	if (expiresAt !== null && expiresAt <= now)
		throw new UserError('BAD_REQUEST', 'This moment has passed. Choose a later one, or none.', {
			reason: 'expiry-passed',
			field: 'expiresAt'
		});
	return app.db.transaction(async (tx) => {
		const scope = await getScope(tx, domainId);
		const who = { reason: 'manual' as const, addedBy: caller.name };
		await putEntries(tx, [{ address, scope, ...who, createdAt: now, expiresAt, note: note ?? '' }], now);
		const [row] = await readItems(tx).where(and(eq(suppressions.address, address), eq(suppressions.scope, scope)));
		if (row === undefined) throw new Error('The suppression was not stored.');
		return itemOf(row);
	});
}

export async function removeSuppression(
	app: App,
	{ id, version }: { id: string; version?: number | undefined }
): Promise<{ id: string }> {
	return app.db.transaction(async (tx) => {
		const item = await getSuppression(tx, id);
		if (version !== undefined && version !== item.version) throw versionMoved('suppression');
		await tx.delete(suppressions).where(eq(suppressions.seq, seqOf(id)));
		return { id };
	});
}

/** Many at once. A wrong address is answered with its place in the list; the others are added or removed. */
export async function changeMany(
	app: App,
	caller: Caller,
	input: z.infer<typeof inputs.bulkSuppressions>
): Promise<z.infer<typeof inputs.bulkResult>> {
	const add = await readAddresses('add', input.add?.texts ?? []);
	const remove = await readAddresses('remove', input.remove?.texts ?? []);
	const now = app.clock();
	return app.db.transaction(async (tx) => {
		const scope = await getScope(tx, input.domainId);
		const removed = await dropEntries(tx, scope, remove.addresses);
		const known = await countKnown(tx, scope, add.addresses);
		const entry = { scope, reason: input.reason, createdAt: now, addedBy: caller.name, note: input.note ?? '' };
		await putEntries(
			tx,
			add.addresses.map((address) => ({ address, ...entry })),
			now
		);
		return {
			added: add.addresses.length - known,
			known,
			removed,
			absent: remove.addresses.length - removed,
			errors: [...add.errors, ...remove.errors]
		};
	});
}

type Wrong = z.infer<typeof inputs.bulkResult>['errors'][number];

async function readAddresses(list: Wrong['list'], texts: string[]): Promise<{ addresses: string[]; errors: Wrong[] }> {
	const addresses = new Set<string>();
	const errors: Wrong[] = [];
	for (const [index, text] of texts.entries()) {
		const { success, data, error } = emailAddress.safeParse(text);
		if (success) addresses.add(data);
		else errors.push({ list, index, message: error.issues[0]?.message ?? 'This is not an e-mail address.' });
		if (index % 250 === 249) await new Promise((resolve) => setImmediate(resolve));
	}
	return { addresses: [...addresses], errors };
}

/** The domain's id, or empty for the global list. @throws UserError no-such-domain */
export async function getScope(tx: DbOrTransaction, domainId: string | null | undefined): Promise<string> {
	if (domainId === null || domainId === undefined) return '';
	const [domain] = await tx.select({ id: domains.id }).from(domains).where(eq(domains.id, domainId)).limit(1);
	if (domain !== undefined) return domain.id;
	throw new UserError('BAD_REQUEST', 'This domain does not exist any more. Nothing was saved. Choose another.', {
		reason: 'no-such-domain',
		field: 'domainId'
	});
}
