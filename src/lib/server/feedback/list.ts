import { and, eq, gte, inArray, lte, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { z } from 'zod';
import type { App } from '../app.ts';
import { follows, listPage, matchesText, ordered } from '../core/paging.ts';
import { domains } from '../domains/tables.ts';
import { senders } from '../senders/tables.ts';
import type { listFeedback as listInput } from './inputs.ts';
import { isComplaint } from './report/feedback-report.ts';
import { meaningOf } from './report/status-words.ts';
import { feedbackEvents } from './tables.ts';

type Row = typeof feedbackEvents.$inferSelect;
type Key = [at: number, id: number];
type Dir = 'asc' | 'desc';

/** A look at this many rows takes some milliseconds; between two of them others get their turn. */
const windowRows = 5000;

interface Wanted {
	/** What an index with the order in it answers. */
	scope: SQL | undefined;
	/** What each row has to be looked at for. */
	rest: SQL | undefined;
	dir: Dir;
}

/** The newest first, page by page. */
export async function listFeedback(app: App, input: z.infer<typeof listInput>) {
	const { cursor: _, limit: __, search: ___, sort: ____, ...binding } = input;
	const wanted = { scope: scopeOf(input), rest: restOf(input), dir: input.sort?.dir ?? ('desc' as const) };
	const page = await listPage<Row>(input, {
		binding,
		key: ({ at, id }) => [at, id],
		count: () => countMatching(app, wanted),
		read: (after, limit) =>
			readMatching(app, wanted, { after: after === null ? null : [Number(after[0]), Number(after[1])], limit })
	});
	return { ...page, items: await withOwners(app, page.items) };
}

function scopeOf({ domainId, senderId, from, to }: z.infer<typeof listInput>): SQL | undefined {
	return and(
		domainId === undefined ? undefined : eq(feedbackEvents.domainId, domainId),
		senderId === undefined ? undefined : eq(feedbackEvents.senderId, senderId),
		from === undefined ? undefined : gte(feedbackEvents.at, from),
		to === undefined ? undefined : lte(feedbackEvents.at, to)
	);
}

function restOf({ kind, class: group, recipient, search }: z.infer<typeof listInput>): SQL | undefined {
	return and(
		kind === undefined ? undefined : eq(feedbackEvents.kind, kind),
		group === undefined ? undefined : eq(feedbackEvents.class, group),
		recipient === undefined
			? undefined
			: sql`(${feedbackEvents.recipient} >= ${recipient} and ${feedbackEvents.recipient} < ${`${recipient}\u{10ffff}`})`,
		matchesText(search, feedbackEvents.recipient, feedbackEvents.diagnostic)
	);
}

/** Conditions that cut the rows of an index into portions, in order. */
async function* windowsOf(app: App, { scope, rest, dir }: Wanted, start: Key | null): AsyncGenerator<SQL | undefined> {
	const { at, id } = feedbackEvents;
	for (let after = start; ;) {
		const [end] =
			rest === undefined
				? []
				: await app.db
						.select({ at, id })
						.from(feedbackEvents)
						.where(and(scope, follows(at, id, dir, after)))
						.orderBy(...ordered(at, id, dir))
						.limit(1)
						.offset(windowRows - 1);
		const until =
			end &&
			(dir === 'asc' ? sql`(${at}, ${id}) <= (${end.at}, ${end.id})` : sql`(${at}, ${id}) >= (${end.at}, ${end.id})`);
		yield and(follows(at, id, dir, after), until);
		if (end === undefined) return;
		after = [end.at, end.id];
		await nextTurn();
	}
}

async function countMatching(app: App, wanted: Wanted): Promise<number> {
	let total = 0;
	for await (const window of windowsOf(app, wanted, null))
		total += await app.db.$count(feedbackEvents, and(wanted.scope, wanted.rest, window));
	return total;
}

async function readMatching(
	app: App,
	wanted: Wanted,
	{ after, limit }: { after: Key | null; limit: number }
): Promise<Row[]> {
	const rows: Row[] = [];
	for await (const window of windowsOf(app, wanted, after)) {
		const found = await app.db
			.select()
			.from(feedbackEvents)
			.where(and(wanted.scope, wanted.rest, window))
			.orderBy(...ordered(feedbackEvents.at, feedbackEvents.id, wanted.dir))
			.limit(limit - rows.length);
		rows.push(...found);
		if (rows.length >= limit) break;
	}
	return rows;
}

/** Names as they are now; null where the domain or sender was removed since. */
async function withOwners(app: App, rows: Row[]) {
	const ids = (pick: (row: Row) => string | null) => [...new Set(rows.map(pick).filter((each) => each !== null))];
	const [domainNames, addresses] = await Promise.all([
		namesOfDomains(
			app,
			ids((row) => row.domainId)
		),
		app.db
			.select({ id: senders.id, address: senders.address })
			.from(senders)
			.where(
				inArray(
					senders.id,
					ids((row) => row.senderId)
				)
			)
	]);
	const addressOf = new Map(addresses.map(({ id, address }) => [id, address]));
	return rows.map(({ domainId, senderId, ...row }) => ({
		...row,
		id: String(row.id),
		domain: domainId === null ? null : { id: domainId, name: domainNames.get(domainId) ?? null },
		sender: senderId === null ? null : { id: senderId, address: addressOf.get(senderId) ?? null },
		meaning: row.kind === 'complaint' ? '' : meaningOf({ ...row, action: 'failed' }),
		isComplaint: row.kind === 'complaint' && isComplaint(row.class)
	}));
}

export async function namesOfDomains(app: App, ids: string[]): Promise<Map<string, string>> {
	const { id, name } = domains;
	const rows = await app.db.select({ id, name }).from(domains).where(inArray(id, ids));
	return new Map(rows.map((row) => [row.id, row.name]));
}
