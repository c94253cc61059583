import { and, eq, sql } from 'drizzle-orm';
import type { Db } from '../core/database.ts';
import { mailboxOf } from './watch-report.ts';
import type { Mailbox, WatchReport } from './watch-report.ts';
import { applies } from './tables.ts';

/**
 * The row of an apply is the mailbox between the process that applies and those that wish something of it. Each writes
 * its own key in one statement, so neither goes over the other: the watch writes `report`, wishes `end` and `confirmed`.
 */
export async function postReport(db: Db, applyId: string, report: WatchReport): Promise<void> {
	await db
		.update(applies)
		.set({ watch: withKey('report', report) })
		.where(eq(applies.id, applyId));
}

/** Answers whether the apply was still running. */
export async function postWish(
	db: Db,
	applyId: string,
	key: 'end' | 'confirmed',
	wish: Mailbox['end'] | Mailbox['confirmed']
): Promise<boolean> {
	const { rowsAffected } = await db
		.update(applies)
		.set({ watch: withKey(key, wish) })
		.where(and(eq(applies.id, applyId), eq(applies.outcome, 'running')));
	return rowsAffected > 0;
}

const withKey = (key: string, value: unknown) =>
	sql`json_set(coalesce(${applies.watch}, '{}'), ${`$.${key}`}, json(${JSON.stringify(value)}))`;

export async function readMailbox(db: Db, applyId: string): Promise<Mailbox> {
	const [row] = await db.select({ watch: applies.watch }).from(applies).where(eq(applies.id, applyId)).limit(1);
	return mailboxOf(row?.watch);
}

/** Written before the swap, so that the promise to take back outlives this process; null: nobody need confirm. */
export async function postConfirmUntil(db: Db, applyId: string, confirmUntilAt: number | null): Promise<void> {
	await db.update(applies).set({ confirmUntilAt }).where(eq(applies.id, applyId));
}
