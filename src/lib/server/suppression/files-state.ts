import { sql } from 'drizzle-orm';
import type { z } from 'zod';
import type { App } from '../app.ts';
import { unreadListsLabel } from '../core/suppression-format.ts';
import { increase } from '../kumod/metrics-cache.ts';
import type * as inputs from './inputs.ts';
import { countWaiting, getFilesRow, isOurs } from './keep-files.ts';
import type { FilesRow } from './keep-files.ts';
import { inspectFile } from './read-file.ts';
import type { FileState } from './read-file.ts';
import { suppressionFiles } from './tables.ts';
import { suppressionRoots } from './write-file.ts';

type FilesState = z.infer<typeof inputs.filesState>;

/** KumoMTA opens the files anew within 30 s; after three minutes without a failure it reads them again. */
const unreadMs = 180_000;

/** How the files stand to the list, looked at now. */
export async function getFilesState(app: App): Promise<FilesState> {
	const roots = suppressionRoots(app.env.kumomtaRoot);
	const row = await getFilesRow(app);
	const files = { base: await inspectFile(app.host, roots.base), delta: await inspectFile(app.host, roots.delta) };
	const isUsed = (await app.host.files.stat(roots.policy)) !== undefined;
	const waiting = await countWaiting(app, row);
	const isFound = isOurs(files.base, row.baseId, row.baseBytes) && isOurs(files.delta, row.deltaId, row.deltaBytes);
	const now = app.clock();
	const unread = increase(app.metrics, `user_lua_latency_count{${unreadListsLabel}}`, now - unreadMs, now);
	return {
		state: isUsed ? stateOf(app, row, { waiting, isFound, unread: unread ?? 0 }) : 'unused',
		base: describe(files.base, row.baseAt),
		delta: describe(files.delta, row.deltaAt),
		waiting,
		unread,
		progress: row.progress,
		failure: row.failure === null ? null : { at: row.failedAt ?? 0, message: row.failure }
	};
}

function stateOf(
	app: App,
	row: FilesRow,
	{ waiting, isFound, unread }: { waiting: number; isFound: boolean; unread: number }
): FilesState['state'] {
	if (row.writerUntil !== null && row.writerUntil > app.clock() && row.progress !== null) return 'building';
	if (row.failure !== null || unread > 0) return 'failed';
	// Before the first turn nothing is wrong yet.
	if (!isFound) return row.baseId === null ? 'waiting' : 'failed';
	return waiting > 0 || row.due !== row.baseDue ? 'waiting' : 'current';
}

function describe(file: FileState, at: number | null): FilesState['base'] {
	if (file.kind !== 'ok') return { state: file.kind, at, rows: 0, bytes: 0 };
	return { state: 'ok', at: file.about.at, rows: file.about.rows, bytes: file.bytes };
}

/** Asks for a new base; the job builds it within seconds. */
export async function requestRebuild(app: App): Promise<FilesState> {
	await app.db.update(suppressionFiles).set({ due: sql`due + 1` });
	return getFilesState(app);
}
