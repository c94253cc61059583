import { and, eq, gt, inArray, isNull, lt, ne, sql } from 'drizzle-orm';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { App } from '../app.ts';
import type { DbOrTransaction } from '../core/database.ts';
import { logSegments } from './tables.ts';

/** How long a segment that is gone is remembered: it may have been moved and come back. */
const rememberedMs = 7 * 24 * 60 * 60_000;
const pageRows = 1000;

/** Another process counted this segment meanwhile: what was read here is not written. */
export class SegmentMoved extends Error {
	override name = 'SegmentMoved';
}

export interface SegmentProgress {
	id: string;
	directory: string;
	name: string;
	inode: string;
	bytes: number;
	lines: number;
	unreadable: number;
	state: 'open' | 'done' | 'damaged';
	/** Lines that are counted so far; undefined when the segment is new. */
	counted: number | undefined;
}

export async function findCountedLines(db: DbOrTransaction, id: string): Promise<number | undefined> {
	const [row] = await db.select({ lines: logSegments.lines }).from(logSegments).where(eq(logSegments.id, id)).limit(1);
	return row?.lines;
}

/** @throws SegmentMoved when the counted lines are not what the caller built on. */
export async function writeProgress(
	tx: DbOrTransaction,
	{ id, counted, unreadable, lines, ...seen }: SegmentProgress,
	now: number
): Promise<void> {
	const fields = { ...seen, lines: Math.max(lines, counted ?? 0), seenAt: now, goneAt: null };
	const { rowsAffected } =
		counted === undefined
			? await tx
					.insert(logSegments)
					.values({ ...fields, id, unreadableLines: unreadable })
					.onConflictDoNothing()
			: await tx
					.update(logSegments)
					.set({ ...fields, unreadableLines: sql`${logSegments.unreadableLines} + ${unreadable}` })
					.where(and(eq(logSegments.id, id), eq(logSegments.lines, counted)));
	if (rowsAffected === 0) throw new SegmentMoved(`The segment ${id} was counted by another process.`);
}

const finished = (directory: string) =>
	and(eq(logSegments.directory, directory), ne(logSegments.state, 'open'), isNull(logSegments.goneAt));

/** Names of the segments that need no more reading, in portions. */
export async function readFinishedNames(app: App, directory: string): Promise<Set<string>> {
	const names = new Set<string>();
	for (let after = ''; ;) {
		const rows = await app.db
			.select({ name: logSegments.name })
			.from(logSegments)
			.where(and(finished(directory), gt(logSegments.name, after)))
			.orderBy(logSegments.name)
			.limit(pageRows);
		for (const { name } of rows) names.add(name);
		const last = rows.at(-1);
		if (last === undefined) return names;
		after = last.name;
		await nextTurn();
	}
}

/** What is known of finished segments by name. */
export async function readFinished(app: App, directory: string, names: string[]) {
	return app.db
		.select({ name: logSegments.name, inode: logSegments.inode, bytes: logSegments.bytes })
		.from(logSegments)
		.where(and(finished(directory), inArray(logSegments.name, names)));
}

/** Marks segments whose file is gone, and forgets those that have been gone for a week. */
export async function forgetGone(app: App, directory: string, isThere: (name: string) => boolean): Promise<void> {
	const now = app.clock();
	for (let after = ''; ;) {
		const rows = await app.db
			.select({ name: logSegments.name })
			.from(logSegments)
			.where(and(eq(logSegments.directory, directory), isNull(logSegments.goneAt), gt(logSegments.name, after)))
			.orderBy(logSegments.name)
			.limit(pageRows);
		const gone = rows.map(({ name }) => name).filter((name) => !isThere(name));
		if (gone.length > 0)
			await app.db
				.update(logSegments)
				.set({ goneAt: now })
				.where(and(eq(logSegments.directory, directory), inArray(logSegments.name, gone)));
		const last = rows.at(-1);
		if (last === undefined) break;
		after = last.name;
		await nextTurn();
	}
	await app.db.delete(logSegments).where(lt(logSegments.goneAt, now - rememberedMs));
}
