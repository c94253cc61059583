import { inArray, lt, max, or, sql } from 'drizzle-orm';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { App } from '../app.ts';
import { feedbackCounts, feedbackEvents } from './tables.ts';

const dayMs = 86_400_000;

interface Kept {
	/** Newest events by the order in which they were read. */
	events: number;
	eventMs: number;
	countMs: number;
	/** Rows that one statement deletes: a statement holds everybody up until it ends. */
	batch: number;
}

const usual: Kept = { events: 100_000, eventMs: 30 * dayMs, countMs: 400 * dayMs, batch: 1000 };

/** Events are evidence of late, counts are history: both are bounded, and go some rows at a time. */
export async function removeOldFeedback(app: App, kept: Kept = usual): Promise<void> {
	const now = app.clock();
	const [ends] = await app.db.select({ last: max(feedbackEvents.id) }).from(feedbackEvents);
	const surplus = (ends?.last ?? 0) - kept.events;
	await inBatches(kept.batch, async () => {
		const { at, id } = feedbackEvents;
		// Two looks at an index each, which an OR inside one statement would turn into a walk through the table.
		const oldest = app.db
			.select({ id })
			.from(feedbackEvents)
			.where(lt(at, now - kept.eventMs))
			.orderBy(at, id)
			.limit(kept.batch);
		const first = sql`select id from feedback_events where id <= ${surplus} order by id limit ${kept.batch}`;
		return app.db.delete(feedbackEvents).where(or(inArray(id, oldest), sql`${id} in (${first})`));
	});
	await inBatches(kept.batch, () => {
		const { hourAt } = feedbackCounts;
		const rows = sql`select rowid from feedback_counts where ${hourAt} < ${now - kept.countMs} limit ${kept.batch}`;
		return app.db.delete(feedbackCounts).where(sql`rowid in (${rows})`);
	});
}

async function inBatches(batch: number, remove: () => PromiseLike<{ rowsAffected: number }>): Promise<void> {
	while ((await remove()).rowsAffected >= batch) await nextTurn();
}
