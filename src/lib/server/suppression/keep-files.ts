import { and, eq, gt, isNull, lt, or, sql } from 'drizzle-orm';
import type { App } from '../app.ts';
import { newId } from '../core/id.ts';
import { UserError } from '../core/errors.ts';
import { basePages, deltaPages, lastChange, pageSize } from './file-rows.ts';
import { forgetChanges } from './forget-changes.ts';
import { inspectFile } from './read-file.ts';
import type { FileState } from './read-file.ts';
import { suppressionChanges as changes, suppressionFiles as files } from './tables.ts';
import { stageSuppressionFile, suppressionRoots } from './write-file.ts';
import type { SuppressionRoots } from './write-file.ts';

/** A delta at most this often; with the turn of the job and the program's 30 s: effective within two minutes. */
const deltaEveryMs = 60_000;
/** A delta larger than this makes a base due. */
const deltaRows = 50_000;
const dayMs = 86_400_000;
/** The nightly build, at 03:00 UTC. */
const nightlyMs = 3 * 3_600_000;
/** A writer that said nothing for so long is gone. */
const leaseMs = 60_000;
const renewEveryMs = 5000;

export type FilesRow = typeof files.$inferSelect;
type Fields = Partial<typeof files.$inferInsert>;

interface Writing {
	app: App;
	roots: SuppressionRoots;
	/** Of this turn: two processes never write at once. */
	writer: string;
}

/**
 * Brings both files in step with the list, as far as that is due now. Whatever breaks off in between: each file is
 * replaced as a whole, and base and delta say the right thing together after every step.
 *
 * A base is complete before it is placed; then a delta is placed that says everything since the base *before* it, and only
 * then the new base. That pair stays for a minute, because a reader that opened the old base still holds it for 30 s:
 * a delta that began at the new base would hide from it what changed between the two.
 */
export async function keepFiles(app: App): Promise<void> {
	const roots = suppressionRoots(app.env.kumomtaRoot);
	if ((await app.host.files.stat(roots.policy))?.kind !== 'directory') return;
	const writing = { app, roots, writer: newId() };
	if (!(await takeTurn(writing))) return;
	try {
		await bringUp(writing);
		await update(app, { failure: null, failedAt: null });
	} catch (error) {
		const failure = error instanceof UserError ? error.message : 'The files could not be written. The log says why.';
		await update(app, { failure, failedAt: app.clock() });
		throw error;
	} finally {
		await app.db
			.update(files)
			.set({ writer: null, writerUntil: null, progress: null })
			.where(eq(files.writer, writing.writer));
	}
}

async function takeTurn({ app, writer }: Writing): Promise<boolean> {
	const now = app.clock();
	const taken = await app.db
		.update(files)
		.set({ writer, writerUntil: now + leaseMs })
		.where(or(isNull(files.writer), eq(files.writer, writer), lt(files.writerUntil, now)))
		.returning({ id: files.id });
	return taken.length > 0;
}

export async function getFilesRow(app: App): Promise<FilesRow> {
	const [row] = await app.db.select().from(files).limit(1);
	if (row === undefined) throw new Error('The state of the suppression files is missing.');
	return row;
}

async function update(app: App, fields: Fields): Promise<void> {
	await app.db.update(files).set(fields).where(eq(files.id, 1));
}

async function bringUp(writing: Writing): Promise<void> {
	const { app, roots } = writing;
	const base = await inspectFile(app.host, roots.base);
	const row = await adopt(app, base);
	if (!isOurs(base, row.baseId, row.baseBytes)) {
		await buildBase(writing, undefined);
		return writeDelta(writing);
	}
	if (await isBaseDue(app, row)) return buildBase(writing, row);
	if (await isDeltaDue(writing, row)) await writeDelta(writing);
}

/** A base that was placed by somebody who then could not say so. */
async function adopt(app: App, base: FileState): Promise<FilesRow> {
	const row = await getFilesRow(app);
	if (base.kind !== 'ok' || row.nextBaseId === null || base.about.id !== row.nextBaseId) return row;
	await recordBase(app, base);
	return getFilesRow(app);
}

async function recordBase(app: App, { about, bytes }: Extract<FileState, { kind: 'ok' }>): Promise<void> {
	await update(app, {
		baseId: about.id,
		nextBaseId: null,
		baseSeq: about.seq,
		baseDue: about.due,
		baseRows: about.rows,
		baseBytes: bytes,
		baseAt: about.at,
		baseTookMs: about.tookMs
	});
	await forgetChanges(app.db, about.seq);
}

/** Another panel's file, one of an older database or one that somebody cut off is not taken for the one that was written. */
export function isOurs(
	state: FileState,
	id: string | null,
	bytes: number
): state is Extract<FileState, { kind: 'ok' }> {
	return state.kind === 'ok' && state.about.id === id && state.bytes === bytes;
}

async function isBaseDue(app: App, row: FilesRow): Promise<boolean> {
	if (row.due !== row.baseDue) return true;
	const [now, builtAt] = [app.clock(), row.baseAt ?? 0];
	const night = (at: number) => Math.floor((at - nightlyMs) / dayMs);
	if (night(now) > night(builtAt)) return true;
	if (now - builtAt < Math.max(deltaEveryMs, 5 * row.baseTookMs)) return false;
	const waiting = app.db.select({ seq: changes.seq }).from(changes).where(gt(changes.seq, row.baseSeq));
	return (await app.db.$count(waiting.limit(deltaRows + 1).as('waiting'))) > deltaRows;
}

async function isDeltaDue({ app, roots }: Writing, row: FilesRow): Promise<boolean> {
	const delta = await inspectFile(app.host, roots.delta);
	if (!isOurs(delta, row.deltaId, row.deltaBytes)) return true;
	const isCurrent = delta.about.baseId === row.baseId && delta.about.seq === (await lastChange(app.database.client));
	return !isCurrent && app.clock() - Math.max(row.deltaAt ?? 0, row.baseAt ?? 0) >= deltaEveryMs;
}

async function writeDelta({ app, roots }: Writing): Promise<void> {
	const row = await getFilesRow(app);
	const { client } = app.database;
	const about = {
		id: newId(),
		seq: await lastChange(client),
		baseId: row.baseId ?? '',
		at: app.clock()
	};
	const staged = await stageSuppressionFile(app.host, roots, {
		name: 'delta',
		about,
		pages: deltaPages(client, row.baseSeq)
	});
	await staged.place();
	await app.host.faultPoint('suppression.delta-placed');
	await update(app, {
		deltaId: about.id,
		deltaSeq: about.seq,
		deltaRows: staged.rows,
		deltaBytes: staged.bytes,
		deltaAt: about.at
	});
}

/** @param before the state of the base that is there; undefined when there is none that can be used. */
async function buildBase(writing: Writing, before: FilesRow | undefined): Promise<void> {
	const { app, roots } = writing;
	const startedAt = app.clock();
	const { due } = await getFilesRow(app);
	// Before the first row is read: what changes from here on is said by the delta.
	const about = { id: newId(), seq: await lastChange(app.database.client), due, at: startedAt };
	const staged = await stageSuppressionFile(app.host, roots, {
		name: 'base',
		about,
		pages: watched(writing, before, basePages(app.database.client))
	});
	if (before !== undefined) await writeDelta(writing);
	await update(app, { nextBaseId: about.id });
	await app.host.faultPoint('suppression.base-announced');
	await staged.place();
	await app.host.faultPoint('suppression.base-placed');
	const at = app.clock();
	await recordBase(app, {
		kind: 'ok',
		about: { ...about, baseId: '', rows: staged.rows, at, tookMs: at - startedAt },
		bytes: staged.bytes
	});
}

/** Says how far it is, keeps the turn, and lets no delta come late because a base takes long. */
async function* watched(
	writing: Writing,
	before: FilesRow | undefined,
	pages: AsyncIterable<string>
): AsyncGenerator<string> {
	const { app } = writing;
	let saidAt = app.clock();
	let pagesDone = 0;
	for await (const page of pages) {
		yield page;
		pagesDone += 1;
		const now = app.clock();
		if (now - saidAt < renewEveryMs) continue;
		saidAt = now;
		const kept = await app.db
			.update(files)
			.set({ writerUntil: now + leaseMs, progress: pagesDone * pageSize })
			.where(and(eq(files.id, 1), eq(files.writer, writing.writer)))
			.returning({ id: files.id });
		if (kept.length === 0) throw new Error('Another process builds the suppression files.');
		if (before !== undefined && (await isDeltaDue(writing, await getFilesRow(app)))) await writeDelta(writing);
	}
}

/** How many changes no file says yet, counted up to a bound. */
export async function countWaiting(app: App, row: FilesRow): Promise<number> {
	const told = row.deltaId === null ? row.baseSeq : Math.max(row.deltaSeq, row.baseSeq);
	const waiting = app.db
		.select({ one: sql`1` })
		.from(changes)
		.where(gt(changes.seq, told))
		.limit(deltaRows);
	return app.db.$count(waiting.as('waiting'));
}
