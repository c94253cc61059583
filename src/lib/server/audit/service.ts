import { and, asc, between, desc, eq, gte, lt, lte, max, min, or, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { z } from 'zod';
import type { App } from '../app.ts';
import type { AuditStart, Gate } from '../core/trpc.ts';
import { listPage, matchesText } from '../core/paging.ts';
import type { listAudit as listAuditInput } from './inputs.ts';
import { auditEntries } from './tables.ts';

const keptForMs = 400 * 24 * 60 * 60_000;
const keptRows = 200_000;
const inputLimit = 16_384;

export async function startAudit(app: App, { caller, ...entry }: AuditStart): Promise<number> {
	const [row] = await app.db
		.insert(auditEntries)
		.values({ ...entry, input: bounded(entry.input), actor: caller.actor, actorName: caller.name, at: app.clock() })
		.returning({ id: auditEntries.id });
	if (row === undefined) throw new Error('The audit row was not stored.');
	return row.id;
}

export async function finishAudit(app: App, id: number, end: Parameters<Gate['finishAudit']>[1]): Promise<void> {
	const { caller, ...rest } = end;
	await app.db
		.update(auditEntries)
		.set({ ...rest, ...(caller && { actor: caller.actor, actorName: caller.name }), finishedAt: app.clock() })
		.where(eq(auditEntries.id, id));
}

/** What a timed job did, as one finished row: a job has nobody who could be refused. */
export async function auditJob(
	app: App,
	{ job, action, target, input }: { job: string; action: string; target: string; input: unknown }
): Promise<void> {
	const name = `job:${job}`;
	const caller = { actor: name, name, userId: null, sessionId: null };
	const start = { caller, action, target, input, address: null, requestId: name, outcome: 'started', reason: null };
	await finishAudit(app, await startAudit(app, start), { outcome: 'ok', reason: null, target });
}

/** Large inputs (an import part) are kept by their size. `Secret` values have become `[secret]` by then. */
function bounded(input: unknown): unknown {
	const text = JSON.stringify(input ?? null);
	return text.length <= inputLimit ? (JSON.parse(text) as unknown) : { omittedBytes: Buffer.byteLength(text) };
}

/** The newest first; the id is the order in which rows were written. */
export async function listAudit(app: App, input: z.infer<typeof listAuditInput>) {
	const dir = input.sort?.dir ?? 'desc';
	const where = and(
		filters(input),
		matchesText(input.search, auditEntries.action, auditEntries.actorName, auditEntries.target, auditEntries.address)
	);
	const { cursor: _, limit: __, search: ___, sort: ____, ...binding } = input;
	const page = await listPage<Row>(input, {
		binding,
		key: (row) => [row.id, row.id],
		count: () => countMatching(app, where),
		read: (after, limit) => readMatching(app, { where, dir, after: after === null ? null : Number(after[1]), limit })
	});
	return { ...page, items: page.items.map((row) => ({ ...row, id: String(row.id) })) };
}

type Row = typeof auditEntries.$inferSelect;

/** A look at this many rows takes some milliseconds; between two of them others get their turn. */
const windowRows = 20_000;

/** Ranges of ids that hold all rows, in the order of the list. */
async function windowsOf(app: App, dir: 'asc' | 'desc'): Promise<[from: number, to: number][]> {
	const [ends] = await app.db.select({ first: min(auditEntries.id), last: max(auditEntries.id) }).from(auditEntries);
	const windows: [number, number][] = [];
	for (let from = ends?.first ?? 1; from <= (ends?.last ?? 0); from += windowRows)
		windows.push([from, from + windowRows - 1]);
	return dir === 'asc' ? windows : windows.reverse();
}

async function countMatching(app: App, where: SQL | undefined): Promise<number> {
	let total = 0;
	for (const [from, to] of await windowsOf(app, 'asc')) {
		total += await app.db.$count(auditEntries, and(where, between(auditEntries.id, from, to)));
		await nextTurn();
	}
	return total;
}

async function readMatching(
	app: App,
	{ where, dir, after, limit }: { where: SQL | undefined; dir: 'asc' | 'desc'; after: number | null; limit: number }
): Promise<Row[]> {
	const rows: Row[] = [];
	for (const [from, to] of await windowsOf(app, dir)) {
		const least = dir === 'asc' && after !== null ? Math.max(from, after + 1) : from;
		const most = dir === 'desc' && after !== null ? Math.min(to, after - 1) : to;
		if (least > most) continue;
		const found = await app.db
			.select()
			.from(auditEntries)
			.where(and(where, between(auditEntries.id, least, most)))
			.orderBy(dir === 'asc' ? asc(auditEntries.id) : desc(auditEntries.id))
			.limit(limit - rows.length);
		rows.push(...found);
		if (rows.length >= limit) break;
		await nextTurn();
	}
	return rows;
}

function filters({ actor, action, target, outcome, from, to }: z.infer<typeof listAuditInput>) {
	return and(
		actor === undefined ? undefined : sql`(${auditEntries.actor} = ${actor} or ${auditEntries.actorName} = ${actor})`,
		action === undefined ? undefined : eq(auditEntries.action, action),
		target === undefined ? undefined : eq(auditEntries.target, target),
		outcome === undefined ? undefined : eq(auditEntries.outcome, outcome),
		from === undefined ? undefined : gte(auditEntries.at, from),
		to === undefined ? undefined : lte(auditEntries.at, to)
	);
}

/** Rows older than 400 days go, and the oldest of more than 200,000, some at a time. */
export async function removeOldEntries(app: App): Promise<void> {
	const [ends] = await app.db.select({ last: max(auditEntries.id) }).from(auditEntries);
	const surplus = lte(auditEntries.id, (ends?.last ?? 0) - keptRows);
	const old = lt(auditEntries.at, app.clock() - keptForMs);
	for (const [from, to] of await windowsOf(app, 'asc')) {
		const { rowsAffected } = await app.db
			.delete(auditEntries)
			.where(and(between(auditEntries.id, from, to), or(surplus, old)));
		if (rowsAffected === 0) return;
		await nextTurn();
	}
}
