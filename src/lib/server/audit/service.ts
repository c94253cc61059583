import { and, eq, gte, lt, lte, sql } from 'drizzle-orm';
import type { z } from 'zod';
import type { App } from '../app.ts';
import type { AuditStart, Gate } from '../core/trpc.ts';
import { listPage, matchesText } from '../core/paging.ts';
import type { listAudit as listAuditInput } from './inputs.ts';
import { auditEntries } from './tables.ts';

const keptForMs = 400 * 24 * 60 * 60_000;
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
	const page = await listPage<typeof auditEntries.$inferSelect>(input, {
		binding,
		key: (row) => [row.id, row.id],
		count: () => app.db.$count(auditEntries, where),
		read: (after, limit) =>
			app.db
				.select()
				.from(auditEntries)
				.where(
					and(
						where,
						after === null
							? undefined
							: dir === 'asc'
								? sql`${auditEntries.id} > ${after[1]}`
								: lt(auditEntries.id, Number(after[1]))
					)
				)
				.orderBy(dir === 'asc' ? sql`${auditEntries.id} asc` : sql`${auditEntries.id} desc`)
				.limit(limit)
	});
	return { ...page, items: page.items.map((row) => ({ ...row, id: String(row.id) })) };
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

/** Rows older than 400 days go. */
export async function removeOldEntries(app: App): Promise<void> {
	await app.db.delete(auditEntries).where(lt(auditEntries.at, app.clock() - keptForMs));
}
