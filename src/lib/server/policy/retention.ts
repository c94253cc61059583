import { and, desc, eq, gt, isNotNull, isNull, lt, ne, or, sql } from 'drizzle-orm';
import { join } from 'node:path';
import type { App } from '../app.ts';
import type { Host } from '../host/host.ts';
import { readLua, revisionIn, revisionsInUse } from './live.ts';
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

type Row = typeof revisions.$inferSelect;
export type RemovalReason = NonNullable<Row['removedBecause']>;

/** Why a revision stays, or what takes it: the whole rule of retention. */
export type Fate =
	{ isKept: true; because: 'live' | 'previous' | 'newest' | 'limits' } | { isKept: false; because: RemovalReason };

interface Kept {
	number: number;
	directory: string;
	appliedAt: number;
	bytes: number;
}

/** Directories that may never go: what KumoMTA reads now, and what it read before. */
export interface InUse {
	live: string | undefined;
	previous: string | undefined;
}

/**
 * What becomes of each revision that went live and still has its files.
 * @param rows the newest first; `bytes` of them add up, so that the oldest are the ones over the limit.
 */
export function fatesOf(
	rows: Kept[],
	{ inUse, now, limits = usualRetention }: { inUse: InUse; now: number; limits?: Retention }
): Map<number, Fate> {
	let bytes = 0;
	return new Map(
		rows.map((row, index): [number, Fate] => {
			bytes += row.bytes;
			if (row.directory === inUse.live) return [row.number, { isKept: true, because: 'live' }];
			if (row.directory === inUse.previous) return [row.number, { isKept: true, because: 'previous' }];
			if (index < limits.atLeast) return [row.number, { isKept: true, because: 'newest' }];
			if (index >= limits.revisions) return [row.number, { isKept: false, because: 'count' }];
			if (row.appliedAt < now - limits.ageMs) return [row.number, { isKept: false, because: 'age' }];
			if (bytes > limits.bytes) return [row.number, { isKept: false, because: 'bytes' }];
			return [row.number, { isKept: true, because: 'limits' }];
		})
	);
}

export async function readInUse(host: Host, roots: PolicyRoots): Promise<InUse> {
	const nameIn = async (path: string) => revisionIn(await readLua(host, path))?.revision;
	return { live: await nameIn(roots.init), previous: await nameIn(roots.previous) };
}

/** Revisions that went live and whose files were not taken by retention, the newest first. */
export async function listKept(app: App): Promise<Kept[]> {
	const { number, directory, appliedAt, bytes } = revisions;
	const rows = await app.db
		.select({ number, directory, appliedAt, bytes })
		.from(revisions)
		.where(and(gt(number, 0), isNotNull(appliedAt), isNull(revisions.removedAt)))
		.orderBy(desc(number));
	return rows.map((row) => ({ ...row, appliedAt: row.appliedAt ?? 0 }));
}

/**
 * Removes the files of old revisions. Why is written down before they go, so that a revision never lacks its files
 * without a word; a process that ends in between leaves a directory that counts as a leftover. Needs the lock.
 */
export async function removeOldRevisions(
	app: App,
	roots: PolicyRoots,
	limits: Retention = usualRetention
): Promise<void> {
	const rows = await listKept(app);
	const fates = fatesOf(rows, { inUse: await readInUse(app.host, roots), now: app.clock(), limits });
	for (const { number, directory } of rows) {
		const fate = fates.get(number);
		if (fate === undefined || fate.isKept) continue;
		await app.db
			.update(revisions)
			.set({ removedAt: app.clock(), removedBecause: fate.because })
			.where(eq(revisions.number, number));
		await app.host.faultPoint('retention.between');
		await app.host.files.remove(join(roots.revisions, directory));
	}
}

/** Names beside the live policy that an apply which was broken off leaves. */
export const isLeftover = (name: string) =>
	/^init\.lua\.staged-\d+$|^\.init\.lua.*\.tmp$|^\..*\.json\..*\.tmp$/.test(name);

/** What a stopped or failed apply left: revisions that never went live, staged lines, temporary files. Needs the lock. */
export async function removeLeftovers(app: App, roots: PolicyRoots): Promise<void> {
	const inUse = await revisionsInUse(app.host, roots);
	const rows = await app.db.select().from(revisions);
	const isKept = ({ appliedAt, removedAt }: Row) => appliedAt !== null && removedAt === null;
	const applied = new Set(rows.filter(isKept).map(({ directory }) => directory));
	for (const name of await app.host.files.list(roots.revisions)) {
		if (!inUse.has(name) && !applied.has(name)) await removeIfOld(app, join(roots.revisions, name));
	}
	for (const name of await app.host.files.list(roots.policy)) {
		if (isLeftover(name)) await removeIfOld(app, join(roots.policy, name));
	}
}

/** As long as the audit log. */
const recordAgeMs = 400 * 86_400_000;

/**
 * Records of applies, and of revisions that never went live or whose files are long gone, do not pile up for ever. The
 * highest number stays, so that none is given twice.
 */
export async function removeOldRecords(app: App): Promise<void> {
	const before = app.clock() - recordAgeMs;
	await app.db.delete(applies).where(and(ne(applies.outcome, 'running'), lt(applies.startedAt, before)));
	await app.db
		.delete(revisions)
		.where(
			and(
				gt(revisions.number, 0),
				or(and(isNull(revisions.appliedAt), lt(revisions.createdAt, before)), lt(revisions.removedAt, before)),
				lt(revisions.number, sql`(select max(number) from revisions)`)
			)
		);
}

/** Half-written private keys go at once: nobody writes them while the lock is ours. Needs the lock. */
export async function removeKeyTemporaries(app: Pick<App, 'host'>, roots: PolicyRoots): Promise<void> {
	for (const domain of await app.host.files.list(roots.dkim)) {
		const directory = join(roots.dkim, domain);
		if ((await app.host.files.stat(directory))?.kind !== 'directory') continue;
		for (const name of await app.host.files.list(directory))
			if (/^\..*\.key\..*\.tmp$/.test(name)) await app.host.files.remove(join(directory, name));
	}
}

export async function removeIfOld(app: Pick<App, 'host' | 'clock'>, path: string): Promise<void> {
	const state = await app.host.files.stat(path);
	if (state !== undefined && state.modifiedAt < app.clock() - leftoverAgeMs) await app.host.files.remove(path);
}
