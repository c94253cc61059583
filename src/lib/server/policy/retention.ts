import { and, desc, eq, gt, isNull, lt, ne, sql } from 'drizzle-orm';
import { join } from 'node:path';
import type { App } from '../app.ts';
import { revisionsInUse } from './live.ts';
import type { PolicyRoots } from './roots.ts';
import { applies, revisions } from './tables.ts';

export interface Retention {
	revisions: number;
	ageMs: number;
	bytes: number;
	/** Kept whatever the other limits say. */
	atLeast: number;
}

export const usualRetention: Retention = { revisions: 200, ageMs: 90 * 86_400_000, bytes: 5 * 1024 ** 3, atLeast: 3 };
const leftoverAgeMs = 15 * 60_000;

/** Removes old revisions, files first. The live one and the one before it always stay. Needs the lock. */
export async function removeOldRevisions(
	app: App,
	roots: PolicyRoots,
	limits: Retention = usualRetention
): Promise<void> {
	const inUse = await revisionsInUse(app.host, roots);
	const rows = await app.db.select().from(revisions).where(gt(revisions.number, 0)).orderBy(desc(revisions.number));
	const applied = rows.filter(({ appliedAt }) => appliedAt !== null);
	let bytes = 0;
	for (const [index, row] of applied.entries()) {
		bytes += row.bytes;
		const isOld =
			index >= limits.revisions || (row.appliedAt ?? 0) < app.clock() - limits.ageMs || bytes > limits.bytes;
		if (index < limits.atLeast || !isOld || inUse.has(row.directory)) continue;
		await app.host.files.remove(join(roots.revisions, row.directory));
		await app.host.faultPoint('retention.between');
		await app.db.delete(revisions).where(eq(revisions.number, row.number));
	}
}

/** What a stopped or failed apply left: revisions that never went live, staged lines, temporary files. Needs the lock. */
export async function removeLeftovers(app: App, roots: PolicyRoots): Promise<void> {
	const inUse = await revisionsInUse(app.host, roots);
	const rows = await app.db.select().from(revisions);
	const applied = new Set(rows.filter(({ appliedAt }) => appliedAt !== null).map(({ directory }) => directory));
	for (const name of await app.host.files.list(roots.revisions)) {
		if (!inUse.has(name) && !applied.has(name)) await removeIfOld(app, join(roots.revisions, name));
	}
	for (const name of await app.host.files.list(roots.policy)) {
		if (/^init\.lua\.staged-\d+$|^\.init\.lua.*\.tmp$|^\..*\.json\..*\.tmp$/.test(name))
			await removeIfOld(app, join(roots.policy, name));
	}
}

/** As long as the audit log. */
const recordAgeMs = 400 * 86_400_000;

/**
 * Records of applies, and of revisions that never went live, do not pile up for ever. The highest number stays, so that
 * none is given twice.
 */
export async function removeOldRecords(app: App): Promise<void> {
	const before = app.clock() - recordAgeMs;
	await app.db.delete(applies).where(and(ne(applies.outcome, 'running'), lt(applies.startedAt, before)));
	await app.db
		.delete(revisions)
		.where(
			and(
				gt(revisions.number, 0),
				isNull(revisions.appliedAt),
				lt(revisions.createdAt, before),
				lt(revisions.number, sql`(select max(number) from revisions)`)
			)
		);
}

/** Half-written private keys go at once: nobody writes them while the lock is ours. Needs the lock. */
export async function removeKeyTemporaries(app: App, roots: PolicyRoots): Promise<void> {
	for (const domain of await app.host.files.list(roots.dkim)) {
		const directory = join(roots.dkim, domain);
		if ((await app.host.files.stat(directory))?.kind !== 'directory') continue;
		for (const name of await app.host.files.list(directory))
			if (/^\..*\.key\..*\.tmp$/.test(name)) await app.host.files.remove(join(directory, name));
	}
}

async function removeIfOld(app: App, path: string): Promise<void> {
	const state = await app.host.files.stat(path);
	if (state !== undefined && state.modifiedAt < app.clock() - leftoverAgeMs) await app.host.files.remove(path);
}
