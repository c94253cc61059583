import { inArray, or, sql } from 'drizzle-orm';
import type { App } from '../app.ts';
import type { DbOrTransaction } from '../core/database.ts';
import { domains } from '../domains/tables.ts';
import type { TakenRecord, Taker } from '../mail-log/service.ts';
import { senders } from '../senders/tables.ts';
import { strike } from '../suppression/service.ts';
import { eventsOf, feedbackTypes } from './event.ts';
import type { Event } from './event.ts';
import { feedbackCounts, feedbackEvents } from './tables.ts';
import { readReturnPath } from './verp.ts';

const hourMs = 3_600_000;
/** SQLite takes at most 32,766 values in a statement. */
const rowsAtOnce = 500;

/** Writes events and their counts, in the transaction that moves the position in the log. */
export function feedbackTaker(app: App): Taker {
	return {
		wants: feedbackTypes,
		async store(tx: DbOrTransaction, taken: TakenRecord[]) {
			const events = taken.flatMap((each) => eventsOf(each, app.clock()));
			for (let from = 0; from < events.length; from += rowsAtOnce)
				await storeEvents(tx, events.slice(from, from + rowsAtOnce));
		}
	};
}

async function storeEvents(tx: DbOrTransaction, events: Event[]): Promise<void> {
	const ownerOf = await findOwners(tx, events);
	const rows = events.map(({ meta, ...event }) => ({ ...event, ...ownerOf({ meta, ...event }) }));
	await tx.insert(feedbackEvents).values(rows);
	await strike(tx, rows);
	await tx
		.insert(feedbackCounts)
		.values(countsOf(rows))
		.onConflictDoUpdate({
			target: [
				feedbackCounts.hourAt,
				feedbackCounts.domainId,
				feedbackCounts.senderId,
				feedbackCounts.kind,
				feedbackCounts.class
			],
			set: { count: sql`${feedbackCounts.count} + excluded.count` }
		});
}

type Row = Omit<Event, 'meta'> & { domainId: string | null; senderId: string | null };

function countsOf(rows: Row[]): (typeof feedbackCounts.$inferInsert)[] {
	const counts = new Map<string, typeof feedbackCounts.$inferInsert>();
	for (const { at, domainId, senderId, kind, class: group } of rows) {
		const hourAt = at - (at % hourMs);
		const key = JSON.stringify([hourAt, domainId, senderId, kind, group]);
		const count = (counts.get(key)?.count ?? 0) + 1;
		counts.set(key, { hourAt, domainId: domainId ?? '', senderId: senderId ?? '', kind, class: group, count });
	}
	return [...counts.values()];
}

const hostOf = (address: string) => address.slice(address.lastIndexOf('@') + 1);

/**
 * Whose mail it was: the sender by what our policy noted when the mail left, else by the return path; the domain by the
 * sender, else by the return path's host.
 */
async function findOwners(tx: DbOrTransaction, events: Event[]) {
	const paths = [...new Set(events.map((each) => readReturnPath(each.returnPath)?.base ?? each.returnPath))];
	const hosts = [...new Set(paths.map(hostOf))];
	const column = { id: senders.id, tenant: senders.tenant, address: senders.address, domainId: senders.domainId };
	const foundSenders = await tx
		.select(column)
		.from(senders)
		.where(
			or(
				inArray(senders.id, [...new Set(events.map(({ meta }) => meta.sender))]),
				inArray(senders.tenant, [...new Set(events.map(({ meta }) => meta.tenant))]),
				inArray(senders.address, paths)
			)
		);
	const foundDomains = await tx
		.select({ id: domains.id, name: domains.name, bounceHost: domains.bounceHost })
		.from(domains)
		.where(or(inArray(domains.name, hosts), inArray(domains.bounceHost, hosts)));
	const sender = new Map(
		foundSenders.flatMap((each) => [each.id, each.tenant, each.address].map((key) => [key, each]))
	);
	const domain = new Map(foundDomains.flatMap((each) => [each.name, each.bounceHost].map((key) => [key, each.id])));
	return ({ meta, returnPath }: Pick<Event, 'meta' | 'returnPath'>) => {
		const base = readReturnPath(returnPath)?.base ?? returnPath;
		const found = sender.get(meta.sender) ?? sender.get(meta.tenant) ?? sender.get(base);
		return { senderId: found?.id ?? null, domainId: found?.domainId ?? domain.get(hostOf(base)) ?? null };
	};
}
