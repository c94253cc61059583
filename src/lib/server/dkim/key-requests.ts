import { asc, eq } from 'drizzle-orm';
import type { DbOrTransaction } from '../core/database.ts';
import { keyRequests } from './tables.ts';

/** Rows of one INSERT: SQLite allows 32,766 parameters, three for each. */
const rowsAtOnce = 5000;

/**
 * Asks for a first key for each domain; one asked for already is asked for once. The background job makes and activates
 * them, so that imported domains become ready without a hand on each.
 */
export async function requestKeys(
	tx: DbOrTransaction,
	domainIds: string[],
	importId: string | null,
	requestedAt: number
): Promise<void> {
	for (let start = 0; start < domainIds.length; start += rowsAtOnce) {
		const rows = domainIds.slice(start, start + rowsAtOnce).map((domainId) => ({ domainId, importId, requestedAt }));
		await tx.insert(keyRequests).values(rows).onConflictDoNothing();
	}
}

/** How many keys of an import are still to be made. */
export async function keyProgress(db: DbOrTransaction, importId: string): Promise<{ waiting: number }> {
	const rows = await db
		.select({ domainId: keyRequests.domainId })
		.from(keyRequests)
		.where(eq(keyRequests.importId, importId));
	return { waiting: rows.length };
}

export async function findKeyRequest(db: DbOrTransaction): Promise<string | undefined> {
	const [row] = await db.select().from(keyRequests).orderBy(asc(keyRequests.requestedAt)).limit(1);
	return row?.domainId;
}
