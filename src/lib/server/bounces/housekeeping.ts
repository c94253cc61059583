import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { and, asc, eq, lte, sql } from 'drizzle-orm';
import type { App } from '../app.ts';
import { auditJob } from '../audit/service.ts';
import { errnoOf } from '../host/file-errors.ts';
import { maildirOf } from '../host/mailbox.ts';
import type { Mailbox } from './maildir.ts';
import { problemCode, saveContents, saveProblem } from './mailbox-state.ts';
import { removeMailbox } from './remove-mailbox.ts';
import { bounceAccounts, bounceMailboxes, removedMailboxes } from './tables.ts';
import { removeAbandoned, tidyMailbox } from './tidy.ts';
import type { Rule, Tidied } from './tidy.ts';

const job = 'bounces.housekeeping';
const day = 24 * 60 * 60_000;
/** A mailbox in which nothing changed is looked into all the same this often: its mail grows older. */
const lookAgainAfterMs = 60 * 60_000;
/** File systems keep times in steps, and a change within the step of the last look must not be missed. */
const timeStepMs = 2000;
const rowsAtOnce = 500;
/** What one run may take; the mailboxes that waited longest come first in the next. */
const runMs = 20_000;

/** Says when a piece of work has taken its time. */
export function lateAfter(ms: number): () => boolean {
	const end = performance.now() + ms;
	return () => performance.now() > end;
}

/**
 * Counts the mailboxes that changed, removes what is too old or above the quota, and the mail of accounts that are gone
 * for as long as it is kept.
 */
export async function keepHouse(app: App, isLate = lateAfter(runMs)): Promise<void> {
	await removeGoneMailboxes(app, isLate);
	const now = app.clock();
	let after: [at: number, id: string] = [-1, ''];
	for (;;) {
		const rows = await readWaiting(app, now, after);
		for (const row of rows) {
			if (isLate()) return;
			if (await isDue(app, row)) await lookAfter(app, row, isLate);
		}
		const last = rows.at(-1);
		if (last === undefined) return;
		after = [last.scannedAt, last.id];
	}
}

const scannedAt = sql<number>`coalesce(${bounceMailboxes.scannedAt}, 0)`;

function readWaiting(app: App, now: number, [at, id]: [at: number, id: string]) {
	return app.db
		.select({
			id: bounceAccounts.id,
			address: bounceAccounts.address,
			quotaBytes: bounceAccounts.quotaBytes,
			retentionDays: bounceAccounts.retentionDays,
			error: bounceMailboxes.error,
			scannedAt
		})
		.from(bounceAccounts)
		.leftJoin(bounceMailboxes, eq(bounceMailboxes.accountId, bounceAccounts.id))
		.where(and(sql`${scannedAt} < ${now}`, sql`(${scannedAt}, ${bounceAccounts.id}) > (${at}, ${id})`))
		.orderBy(asc(scannedAt), asc(bounceAccounts.id))
		.limit(rowsAtOnce);
}

type Row = Awaited<ReturnType<typeof readWaiting>>[number];

/** Delivering, moving and removing all move the time of the directory that holds the name. */
async function isDue(app: App, row: Row): Promise<boolean> {
	if (app.clock() - row.scannedAt >= lookAgainAfterMs) return true;
	const root = maildirOf(app.env.mailRoot, row.id);
	const changes = await Promise.all([root, join(root, 'new'), join(root, 'cur')].map(changedAt));
	if (changes[0] === undefined) return row.error !== 'no-directory';
	return changes.some((at) => at !== undefined && at >= row.scannedAt - timeStepMs);
}

/** Undefined when there is no such file. */
async function changedAt(path: string): Promise<number | undefined> {
	try {
		return (await lstat(path)).mtimeMs;
	} catch (error) {
		if (errnoOf(error) === undefined) throw error;
		return undefined;
	}
}

/** Whole days (UTC), so that mail goes once a day and not message by message. */
const keptSince = (now: number, retentionDays: number) => (Math.floor(now / day) - retentionDays) * day;

async function lookAfter(app: App, row: Row, isLate: () => boolean): Promise<void> {
	const mailbox = { mailRoot: app.env.mailRoot, id: row.id };
	try {
		const rule = { keptSince: keptSince(app.clock(), row.retentionDays), quotaBytes: row.quotaBytes };
		const tidied = await tidyWhole(app, mailbox, { rule, isLate });
		await removeAbandoned(mailbox, app.clock());
		await saveContents(app, row.id, tidied.contents);
		await writeDown(app, row, tidied);
	} catch (error) {
		const code = problemCode(error);
		if (code === 'disk-error') app.log.error('mailbox not readable', { account: row.id, error });
		await saveProblem(app, row.id, code);
	}
}

/** Tidies until nothing is left to remove or the time is up; answers the sums. */
export async function tidyWhole(
	app: App,
	mailbox: Mailbox,
	{ rule, isLate }: { rule: Rule; isLate: () => boolean }
): Promise<Tidied> {
	const sum = await tidyMailbox(app.host, mailbox, rule);
	while (sum.isUnfinished && !isLate()) {
		const next = await tidyMailbox(app.host, mailbox, rule);
		for (const kind of ['expired', 'overQuota'] as const) {
			sum[kind].messages += next[kind].messages;
			sum[kind].bytes += next[kind].bytes;
		}
		sum.contents = next.contents;
		sum.isUnfinished = next.isUnfinished;
	}
	return sum;
}

async function writeDown(app: App, { id, address }: Row, { expired, overQuota }: Tidied): Promise<void> {
	if (expired.messages + overQuota.messages === 0) return;
	const input = { address, expired, overQuota };
	await auditJob(app, { job, action: 'bounces.removeOldMail', target: id, input });
}

async function removeGoneMailboxes(app: App, isLate: () => boolean): Promise<void> {
	const due = await app.db
		.select({ id: removedMailboxes.id, address: removedMailboxes.address, account: bounceAccounts.id })
		.from(removedMailboxes)
		// A restored backup may have brought the account back: then its mail stays.
		.leftJoin(bounceAccounts, eq(bounceAccounts.id, removedMailboxes.id))
		.where(lte(removedMailboxes.keptUntilAt, app.clock()))
		.orderBy(asc(removedMailboxes.keptUntilAt))
		.limit(rowsAtOnce);
	for (const { id, address, account } of due) {
		if (isLate()) return;
		if (account === null && !(await isGone(app, id, isLate))) continue;
		await app.db.delete(removedMailboxes).where(eq(removedMailboxes.id, id));
		if (account === null) await auditJob(app, { job, action: 'bounces.removeMailbox', target: id, input: { address } });
	}
}

/** What there was no time for goes on with the next run; what can't be removed is tried again in an hour. */
async function isGone(app: App, id: string, isLate: () => boolean): Promise<boolean> {
	try {
		return await removeMailbox(app.host, { mailRoot: app.env.mailRoot, id }, isLate);
	} catch (error) {
		app.log.warn('mailbox not removed', { account: id, code: problemCode(error) });
		const keptUntilAt = app.clock() + lookAgainAfterMs;
		await app.db.update(removedMailboxes).set({ keptUntilAt }).where(eq(removedMailboxes.id, id));
		return false;
	}
}
