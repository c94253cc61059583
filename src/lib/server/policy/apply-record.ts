import { desc, eq, sql } from 'drizzle-orm';
import { join } from 'node:path';
import type { App } from '../app.ts';
import { newId } from '../core/id.ts';
import { knownState } from './applier/state.ts';
import { findManifest } from './drift.ts';
import type { PolicyRoots } from './roots.ts';
import type { ApplyOutcome, ApplyStep } from './steps.ts';
import { applies, revisions } from './tables.ts';

export type ApplyRow = typeof applies.$inferSelect;

export interface ApplyStart {
	actor: string;
	actorName: string;
	reason: string | null;
	hash: string;
	previousRevision: number | null;
}

export async function startRecord(app: App, start: ApplyStart): Promise<string> {
	const id = newId();
	const row = {
		...start,
		id,
		revision: null,
		startedAt: app.clock(),
		finishedAt: null,
		outcome: 'running',
		steps: []
	} as const;
	await app.db.insert(applies).values({ ...row, steps: [] });
	return id;
}

export async function recordSteps(app: App, id: string, steps: ApplyStep[]): Promise<void> {
	await app.db.update(applies).set({ steps }).where(eq(applies.id, id));
}

export async function finishRecord(app: App, id: string, outcome: ApplyOutcome, steps: ApplyStep[]): Promise<void> {
	await app.db.update(applies).set({ outcome, steps, finishedAt: app.clock() }).where(eq(applies.id, id));
}

export async function findApply(app: App, id: string): Promise<ApplyRow | undefined> {
	const [row] = await app.db.select().from(applies).where(eq(applies.id, id)).limit(1);
	return row;
}

export async function findRunning(app: App, hash: string): Promise<ApplyRow | undefined> {
	const rows = await app.db
		.select()
		.from(applies)
		.where(eq(applies.outcome, 'running'))
		.orderBy(desc(applies.startedAt));
	return rows.find((row) => row.hash === hash);
}

/** One more than any number in the database or on disk: a number is never given twice. */
export async function nextRevisionNumber(app: App, roots: PolicyRoots): Promise<number> {
	const [row] = await app.db.select({ last: sql<number | null>`max(${revisions.number})` }).from(revisions);
	const names = await app.host.files.list(roots.revisions);
	const onDisk = names.map((name) => Number(/^(?:\.staging-)?(\d+)-/.exec(name)?.[1] ?? 0));
	return Math.max(row?.last ?? 0, (await knownState(app))?.highest ?? 0, ...onDisk) + 1;
}

export interface NewRevision {
	applyId: string;
	number: number;
	directory: string;
	hash: string;
	actor: string;
	actorName: string;
	reason: string | null;
	changeCount: number;
}

/** Reserves the number before anything is staged; `appliedAt` follows when the revision went live. */
export async function reserveRevision(app: App, { applyId, ...revision }: NewRevision): Promise<void> {
	await app.db.transaction(async (tx) => {
		await tx.insert(revisions).values({ ...revision, createdAt: app.clock(), appliedAt: null, bytes: 0 });
		await tx.update(applies).set({ revision: revision.number }).where(eq(applies.id, applyId));
	});
}

/** @param bytes of its files, read from the manifest. */
export async function markApplied(app: App, roots: PolicyRoots, number: number, directory: string): Promise<void> {
	const manifest = findManifest(join(roots.revisions, directory));
	const bytes = manifest?.files.reduce((sum, file) => sum + file.bytes, 0) ?? 0;
	const set = { appliedAt: app.clock(), bytes };
	await app.db.update(revisions).set(set).where(eq(revisions.number, number));
}

/** The operator's own policy (one character a byte), taken over: revision 0 stands for the one that was kept last. */
export async function recordTakeOver(app: App, text: string, hash: string): Promise<void> {
	const now = app.clock();
	const row = {
		number: 0,
		hash,
		directory: '',
		actor: 'system',
		actorName: 'Before KumoMTA UI',
		reason: 'The policy that was here before the panel took over.',
		createdAt: now,
		appliedAt: null,
		changeCount: 0,
		bytes: text.length
	};
	await app.db
		.insert(revisions)
		.values(row)
		.onConflictDoUpdate({ target: revisions.number, set: { hash, bytes: row.bytes, createdAt: now } });
}
