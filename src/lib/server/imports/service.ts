import { and, eq, gt, lte, sql } from 'drizzle-orm';
import type { z } from 'zod';
import { counted } from '../../shared/counted.ts';
import type { App } from '../app.ts';
import type { DbOrTransaction } from '../core/database.ts';
import { notFound, UserError } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';
import type { Caller } from '../core/trpc.ts';
import { keyProgress } from '../dkim/service.ts';
import { hashPasswords, writeImport } from './commit.ts';
import type * as inputs from './inputs.ts';
import { openText, removeParts, sealOf, storePart } from './parts.ts';
import { planImport } from './plan.ts';
import type { Plan, PlannedRow } from './plan.ts';
import { imports } from './tables.ts';

type Row = typeof imports.$inferSelect;
type Preview = z.infer<typeof inputs.importPreview>;
type Result = z.infer<typeof inputs.committedImport>;

/** An upload that is not committed goes after a day, a committed one after a week of visible progress. */
const openForMs = 86_400_000;
const shownForMs = 7 * 86_400_000;
const maxOpen = 20;

export async function createImport(
	app: App,
	caller: Caller,
	{ kind }: z.infer<typeof inputs.createImport>
): Promise<z.infer<typeof inputs.importItem>> {
	const now = app.clock();
	return app.db.transaction(async (tx) => {
		if ((await tx.$count(imports, and(eq(imports.state, 'open'), gt(imports.expiresAt, now)))) >= maxOpen)
			throw new UserError(
				'CONFLICT',
				`${maxOpen} imports are open already. No other was begun. Commit or discard one.`,
				{ reason: 'too-many-imports' }
			);
		const row = { kind, state: 'open' as const, createdBy: caller.actor, createdAt: now, expiresAt: now + openForMs };
		const [stored] = await tx.insert(imports).values(row).returning();
		if (stored === undefined) throw new Error('The import was not stored.');
		return { id: stored.id, kind, state: stored.state, createdAt: now, expiresAt: stored.expiresAt };
	});
}

export async function appendPart(
	app: App,
	input: { id: string; part: number; text: Secret }
): Promise<z.infer<typeof inputs.appended>> {
	return app.db.transaction(async (tx) => {
		await getOpen(app, tx, input.id);
		return { id: input.id, part: input.part, ...(await storePart(app, tx, input)) };
	});
}

/** One page of what a commit would do; after the commit, what it did and how its keys come along. */
export async function previewImport(app: App, input: z.infer<typeof inputs.previewImport>): Promise<Preview> {
	const row = await getImport(app, app.db, input.id);
	if (row.state === 'committed') return committedPreview(app, row);
	const plan = await findPlan(app, input.id);
	const rows = input.only === 'all' ? plan.rows : plan.rows.filter(({ errors }) => errors.length > 0);
	const start = input.cursor === undefined ? 0 : startOf(input.cursor, plan.hash);
	const end = start + input.limit;
	return {
		id: row.id,
		state: row.state,
		hash: plan.hash,
		items: rows.slice(start, end),
		nextCursor: end < rows.length ? cursorOf(end, plan.hash) : null,
		total: rows.length,
		summary: plan.summary,
		committed: null,
		expiresAt: row.expiresAt
	};
}

async function committedPreview(app: App, row: Row): Promise<Preview> {
	const result = row.result ?? { domainsCreated: 0, sendersCreated: 0, sendersUpdated: 0, keysRequested: 0 };
	const { waiting } = await keyProgress(app.db, row.id);
	const summary = { rows: 0, unchanged: 0, errors: 0, ...result };
	const committed = { at: row.committedAt ?? 0, result, keysWaiting: waiting };
	return {
		id: row.id,
		state: row.state,
		hash: null,
		items: [],
		nextCursor: null,
		total: 0,
		summary,
		committed,
		expiresAt: row.expiresAt
	};
}

/**
 * Writes everything of an import, or nothing. Passwords are hashed before the transaction begins; inside it nothing has
 * changed since the plan was made, or it is refused.
 * @throws UserError import-moved when the effects are not those of `expectedHash`, import-has-errors.
 */
export async function commitImport(
	app: App,
	{ id, expectedHash }: z.infer<typeof inputs.commitImport>
): Promise<Result> {
	await getOpen(app, app.db, id);
	const marks = await readMarks(app.db, id);
	const plan = await makePlan(app, id);
	if (plan.hash !== expectedHash) throw importMoved();
	if (plan.summary.errors > 0) throw hasErrors(plan.rows);
	const now = app.clock();
	const senders = await hashPasswords(plan.senders, now);
	return app.db.transaction(async (tx) => {
		await getOpen(app, tx, id);
		if ((await readMarks(tx, id)) !== marks) throw importMoved();
		const result = await writeImport(tx, { plan, senders, importId: id, now });
		await removeParts(tx, id);
		await tx
			.update(imports)
			.set({ state: 'committed', committedAt: now, result, expiresAt: now + shownForMs })
			.where(eq(imports.id, id));
		previews.delete(app.database);
		return { id, state: 'committed', result };
	});
}

/** Throws an upload away; of a committed import only the record of it. */
export async function discardImport(app: App, id: string): Promise<{ id: string }> {
	const gone = await app.db.delete(imports).where(eq(imports.id, id)).returning({ id: imports.id });
	if (gone.length === 0) throw notFound('import');
	previews.delete(app.database);
	return { id };
}

export async function removeExpiredImports(app: App): Promise<void> {
	const gone = await app.db.delete(imports).where(lte(imports.expiresAt, app.clock())).returning({ id: imports.id });
	const kept = previews.get(app.database);
	const isIdle = kept !== undefined && app.clock() - kept.usedAt > rememberedMs;
	if (gone.length > 0 || isIdle) previews.delete(app.database);
}

async function getImport(app: App, db: DbOrTransaction, id: string): Promise<Row> {
	const [row] = await db.select().from(imports).where(eq(imports.id, id)).limit(1);
	if (row === undefined || row.expiresAt <= app.clock()) throw notFound('import');
	return row;
}

async function getOpen(app: App, db: DbOrTransaction, id: string): Promise<void> {
	if ((await getImport(app, db, id)).state === 'open') return;
	throw new UserError('CONFLICT', 'This import was committed already. Nothing more was changed. Begin a new one.', {
		reason: 'import-committed'
	});
}

function importMoved(): UserError {
	return new UserError(
		'CONFLICT',
		'What this import would do has changed since you looked at it. Nothing was imported. Look at the preview again.',
		{ reason: 'import-moved' }
	);
}

function hasErrors(rows: PlannedRow[]): UserError {
	const wrong = rows.filter(({ errors }) => errors.length > 0);
	return new UserError(
		'PRECONDITION_FAILED',
		`${wrong.length === 1 ? 'One line of the import is wrong' : `${counted(wrong.length, 'line')} of the import are wrong`}. Nothing was imported. Correct them and upload the file again.`,
		{
			reason: 'import-has-errors',
			problems: wrong.slice(0, 100).map(({ line, errors }) => ({ line, errors }))
		}
	);
}

type Shown = Pick<Plan, 'rows' | 'summary' | 'hash'>;

/** The plan that was paged last, without its passwords: each page of a large file would cost as much as the whole. */
const previews = new WeakMap<App['database'], { key: string; plan: Shown; usedAt: number }>();

/** Somebody who reads longer than this waits once more for the plan. */
const rememberedMs = 10 * 60_000;

async function findPlan(app: App, id: string): Promise<Shown> {
	const key = `${id} ${await readMarks(app.db, id)}`;
	const kept = previews.get(app.database);
	if (kept?.key === key) {
		kept.usedAt = app.clock();
		return kept.plan;
	}
	const { rows, summary, hash } = await makePlan(app, id);
	const plan = { rows, summary, hash };
	previews.set(app.database, { key, plan, usedAt: app.clock() });
	return plan;
}

async function makePlan(app: App, id: string): Promise<Plan> {
	return planImport(app.db, await openText(app, id), await sealOf(app.db, id));
}

/** Moves with the uploaded text and with everything a plan depends on. */
async function readMarks(db: DbOrTransaction, id: string): Promise<string> {
	const rows = await db.all(
		sql`select feature, counter from change_marks where feature in ('settings', 'pools', 'domains', 'senders') order by feature`
	);
	return JSON.stringify([rows, await sealOf(db, id)]);
}

const cursorOf = (start: number, hash: string) => Buffer.from(`${start} ${hash.slice(0, 16)}`).toString('base64url');

function startOf(cursor: string, hash: string): number {
	const [, start, madeFor] = /^(\d{1,7}) ([0-9a-f]{16})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
	if (start !== undefined && madeFor === hash.slice(0, 16)) return Number(start);
	throw new UserError(
		'BAD_REQUEST',
		'The import or what it changes has moved since this page was opened. Start again from its first page.',
		{ reason: 'cursor-mismatch', field: 'cursor' }
	);
}
