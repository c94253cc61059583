import { count, inArray, sql } from 'drizzle-orm';
import type { z } from 'zod';
import { bounceAccounts } from '../bounces/tables.ts';
import type { DbOrTransaction } from '../core/database.ts';
import { notFound } from '../core/errors.ts';
import { displayHost } from '../core/inputs.ts';
import { dkimKeys, keyRequests } from '../dkim/tables.ts';
import { senders } from '../senders/tables.ts';
import type { domainItem } from './inputs.ts';
import type { domains } from './tables.ts';

type Row = typeof domains.$inferSelect;
export type DomainItem = z.infer<typeof domainItem>;

export async function itemOf(db: DbOrTransaction, row: Row): Promise<DomainItem> {
	const [item] = await itemsOf(db, [row]);
	if (item === undefined) throw notFound('domain');
	return item;
}

/** Rows with what belongs to them: one query for each kind, however many domains. */
export async function itemsOf(db: DbOrTransaction, rows: Row[]): Promise<DomainItem[]> {
	const ids = rows.map(({ id }) => id);
	const senderCounts = new Map((await countSenders(db, ids)).map((each) => [each.domainId, each.count]));
	const accountCounts = new Map((await countAccounts(db, ids)).map((each) => [each.domainId, each.count]));
	const keyCounts = new Map((await countKeys(db, ids)).map((each) => [each.domainId, each]));
	const requested = await db
		.select({ domainId: keyRequests.domainId })
		.from(keyRequests)
		.where(inArray(keyRequests.domainId, ids));
	const waiting = new Set(requested.map(({ domainId }) => domainId));
	return rows.map(({ seq: _, ...row }) => {
		const keys = keyCounts.get(row.id) ?? { all: 0, active: 0, pending: 0 };
		return {
			...row,
			displayName: displayHost(row.name),
			dmarc: wholeDmarc(row.dmarc),
			readiness: readinessOf({ ...keys, isRequested: waiting.has(row.id) }),
			senders: senderCounts.get(row.id) ?? 0,
			keys: keys.all,
			activeKeys: keys.active,
			bounceAccounts: accountCounts.get(row.id) ?? 0
		};
	});
}

/** A domain without an active key is kept out of the policy: its mail could not be signed. */
function readinessOf({
	active,
	pending,
	isRequested
}: {
	active: number;
	pending: number;
	isRequested: boolean;
}): DomainItem['readiness'] {
	if (active > 0) return { ready: true, reasons: [] };
	return { ready: false, reasons: [missingKey(pending, isRequested)] };
}

function missingKey(pending: number, isRequested: boolean): DomainItem['readiness']['reasons'][number] {
	if (pending > 0)
		return { code: 'dkim-key-pending', message: 'No active DKIM key. Publish the pending one and activate it.' };
	if (isRequested) return { code: 'dkim-key-requested', message: 'No active DKIM key yet. One is being made.' };
	return { code: 'no-dkim-key', message: 'No active DKIM key. Generate or import one.' };
}

function wholeDmarc(dmarc: Row['dmarc']): DomainItem['dmarc'] {
	return {
		policy: dmarc.policy,
		subdomainPolicy: dmarc.subdomainPolicy ?? null,
		percentage: dmarc.percentage ?? 100,
		aggregateReports: dmarc.aggregateReports ?? null,
		failureReports: dmarc.failureReports ?? null,
		strictDkim: dmarc.strictDkim ?? false,
		strictSpf: dmarc.strictSpf ?? false
	};
}

function countSenders(db: DbOrTransaction, ids: string[]) {
	return db
		.select({ domainId: senders.domainId, count: count() })
		.from(senders)
		.where(inArray(senders.domainId, ids))
		.groupBy(senders.domainId);
}

function countAccounts(db: DbOrTransaction, ids: string[]) {
	return db
		.select({ domainId: bounceAccounts.domainId, count: count() })
		.from(bounceAccounts)
		.where(inArray(bounceAccounts.domainId, ids))
		.groupBy(bounceAccounts.domainId);
}

function countKeys(db: DbOrTransaction, ids: string[]) {
	return db
		.select({
			domainId: dkimKeys.domainId,
			all: count(),
			active: sql<number>`sum(${dkimKeys.state} = 'active')`,
			pending: sql<number>`sum(${dkimKeys.state} = 'pending')`
		})
		.from(dkimKeys)
		.where(inArray(dkimKeys.domainId, ids))
		.groupBy(dkimKeys.domainId);
}
