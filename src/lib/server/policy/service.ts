import { desc, eq } from 'drizzle-orm';
import { join } from 'node:path';
import type { z } from 'zod';
import type { App } from '../app.ts';
import { notFound, UserError } from '../core/errors.ts';
import { bringMirror } from './applier/mirror.ts';
import { findApply } from './apply-record.ts';
import type { ApplyRow } from './apply-record.ts';
import { revisionGone } from './apply.ts';
import { pendingPolicy } from './compile.ts';
import type { Compiled } from './compile.ts';
import { findManifest } from './drift.ts';
import { findFileDrift } from './file-drift.ts';
import type * as inputs from './inputs.ts';
import { knownKeyDrift } from './key-drift.ts';
import { readLive } from './live.ts';
import type { Live } from './live.ts';
import { compileRequest } from './pending.ts';
import { manifestOf } from './pipeline.ts';
import { assertNoLinks, policyRoots } from './roots.ts';
import { applies, revisions } from './tables.ts';
import { mailboxOf } from './watch-report.ts';
import { findWatching } from './watch-wishes.ts';

export { oldestKumod, releaseIn } from './kumod-version.ts';
export { defaultListeners } from './node.ts';

type Status = z.infer<typeof inputs.statusAnswer>;
type Preview = z.infer<typeof inputs.previewAnswer>;

/** What is live, what would be applied, and how they differ. Answers at once; `computing` while the difference is made. */
export async function getStatus(app: App, { waitMs = 300 } = {}): Promise<Status> {
	const roots = policyRoots(app.env.kumomtaRoot);
	assertNoLinks(roots);
	await bringMirror(app);
	const live = await readLive(app.host, roots);
	const manifest = manifestOf(roots, live);
	const liveRevision = await liveNumber(app, live);
	const [row] =
		liveRevision === null
			? []
			: await app.db.select().from(revisions).where(eq(revisions.number, liveRevision)).limit(1);
	const [running] = await app.db
		.select({ id: applies.id })
		.from(applies)
		.where(eq(applies.outcome, 'running'))
		.limit(1);
	const isForeign = live.kind === 'foreign' || live.kind === 'packaged';
	return {
		liveRevision,
		liveHash: manifest?.hash ?? null,
		liveAppliedAt: row?.appliedAt ?? null,
		...(await pendingPart(app, live, manifest?.hash, waitMs)),
		drift: [...(await findFileDrift(app, roots, live)), ...(await knownKeyDrift(app, roots, live, waitMs))],
		foreign: isForeign ? { sha256: live.sha256, mayReplace: live.kind === 'packaged' } : null,
		runningApplyId: running?.id ?? null,
		watching: await findWatching(app),
		kumomta: { isInstalled: app.env.kumodBin !== undefined, root: app.env.systemRoot }
	};
}

/** Revision 0 is live again when the kept policy was put back. */
export async function liveNumber(app: App, live: Live): Promise<number | null> {
	if ('number' in live) return live.number;
	if (live.kind === 'absent') return null;
	const [kept] = await app.db.select().from(revisions).where(eq(revisions.number, 0)).limit(1);
	return kept?.hash === live.sha256 ? 0 : null;
}

async function pendingPart(app: App, live: Live, liveHash: string | undefined, waitMs: number) {
	let pending: Compiled | null;
	try {
		pending = await pendingPolicy(app, await compileRequest(app, live), { waitMs });
	} catch (error) {
		if (!(error instanceof UserError)) throw error;
		return { pendingHash: null, dirty: true, changes: 0, problems: { errors: 1, warnings: 0, blocking: 1 } };
	}
	if (pending === null) return { pendingHash: null, dirty: false, changes: 0, problems: null, computing: true };
	const { hash, changes, problemCounts } = pending;
	pending.release();
	return { pendingHash: hash, dirty: hash !== liveHash, changes: changes.total, problems: problemCounts };
}

export async function getPreview(app: App): Promise<Preview> {
	const pending = await waitForPending(app);
	try {
		const { hash, problems, problemCounts, changes, needsRestart } = pending;
		return { hash, problems, problemCounts, changes, needsRestart, files: await pending.previewFiles() };
	} finally {
		pending.release();
	}
}

/** What an apply would make now; the caller releases it. @throws UserError still-computing after a minute */
export async function waitForPending(app: App): Promise<Compiled> {
	const live = await readLive(app.host, policyRoots(app.env.kumomtaRoot));
	const pending = await pendingPolicy(app, await compileRequest(app, live), { waitMs: 60_000 });
	if (pending !== null) return pending;
	throw new UserError(
		'TIMEOUT',
		'The pending policy was not ready after a minute. Nothing was changed. It is still being made: try again.',
		{ reason: 'still-computing' }
	);
}

/** The directory of a revision whose files are there. @throws UserError no-such-revision */
export async function directoryOf(app: App, number: number): Promise<string> {
	const [row] = await app.db.select().from(revisions).where(eq(revisions.number, number)).limit(1);
	if (row === undefined || row.directory === '') throw revisionGone(number);
	const directory = join(policyRoots(app.env.kumomtaRoot).revisions, row.directory);
	if (findManifest(directory) === undefined) throw revisionGone(number);
	return directory;
}

export async function getProgress(app: App, { applyId }: { applyId: string }) {
	const row = await findApply(app, applyId);
	if (row === undefined) throw notFound('apply');
	return progressOf(row);
}

export function progressOf({ id, watch, ...row }: ApplyRow) {
	const { report, confirmed } = mailboxOf(watch);
	return { applyId: id, ...row, watch: report ?? null, confirmedBy: confirmed?.by ?? null };
}

export function listApplies(app: App, number: number): Promise<ApplyRow[]> {
	return app.db.select().from(applies).where(eq(applies.revision, number)).orderBy(desc(applies.startedAt)).limit(20);
}
