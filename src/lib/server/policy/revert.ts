import { eq } from 'drizzle-orm';
import { join } from 'node:path';
import type { App } from '../app.ts';
import { notFound, UserError } from '../core/errors.ts';
import type { Caller } from '../core/trpc.ts';
import { pipelineOf, revisionGone } from './apply.ts';
import { findApply, markApplied } from './apply-record.ts';
import { startApply } from './apply-run.ts';
import type { ApplyAnswer, ApplyRun, ApplyTimes } from './apply-run.ts';
import { differingFiles } from './stage.ts';
import { findManifest } from './drift.ts';
import { bytesOf, readLua, revisionIn } from './live.ts';
import { prepareMail } from './mail-step.ts';
import { goLive, manifestOf, refreshKind } from './pipeline.ts';
import type { Manifest } from './revision.ts';
import { policyAccess, policyRoots } from './roots.ts';
import type { ApplyOutcome } from './steps.ts';
import { findKept, stagedInit, writeStagedInit } from './swap.ts';
import { applies, revisions } from './tables.ts';
import { validatePolicy } from './validate.ts';

/**
 * Takes one apply back: what was live before it is live again, under its old number. Only the apply that made the live
 * revision can be taken back.
 * @throws UserError not-live, no-such-revision, apply-running.
 */
export async function revertApply(
	app: App,
	caller: Caller,
	{ applyId }: { applyId: string },
	times?: ApplyTimes
): Promise<ApplyAnswer> {
	const row = await findApply(app, applyId);
	if (row === undefined) throw notFound('apply');
	const reason = `Takes the apply of revision ${row.revision} back.`;
	return startApply(app, { caller, hash: `revert ${applyId}`, reason, times }, async (run) => {
		const { live, roots } = run;
		if (!('number' in live) || row.outcome !== 'applied' || live.number !== row.revision) throw notLive();
		const text = await readLua(app.host, roots.previous);
		const before = revisionIn(text);
		if (text === undefined || (before?.number ?? null) !== row.previousRevision)
			throw revisionGone(row.previousRevision ?? 0);
		const outcome = before === undefined ? await goBackToKept(run, text, 0) : await goBackTo(run, before);
		if (outcome === 'applied') await app.db.update(applies).set({ outcome: 'reverted' }).where(eq(applies.id, applyId));
		return outcome;
	});
}

/** Revision 0: the policy that was here before the panel. */
export async function restoreKept(app: App, caller: Caller, times?: ApplyTimes): Promise<ApplyAnswer> {
	const roots = policyRoots(app.env.kumomtaRoot);
	const [row] = await app.db.select().from(revisions).where(eq(revisions.number, 0)).limit(1);
	const text = row === undefined ? undefined : await findKept(app.host, roots, row.hash);
	if (row === undefined || text === undefined) throw revisionGone(0);
	const reason = 'Restores the policy from before the panel.';
	return startApply(app, { caller, hash: row.hash, reason, times }, (run) => goBackToKept(run, text, 0));
}

function notLive(): UserError {
	return new UserError(
		'PRECONDITION_FAILED',
		'This apply did not make what is live now, so it cannot be taken back. Nothing was changed. Restore the revision you want instead.',
		{ reason: 'not-live' }
	);
}

async function goBackTo(
	run: ApplyRun,
	{ revision, number }: { revision: string; number: number }
): Promise<ApplyOutcome> {
	const { app, roots } = run;
	const directory = join(roots.revisions, revision);
	const manifest = findManifest(directory);
	if (manifest === undefined || (await differingFiles(app.host, directory, manifest)).length > 0)
		throw revisionGone(number);
	await run.steps.run('stage', async () => {
		await writeStagedInit(app.host, roots, revision, number);
		return { value: undefined, status: 'ok', output: `Revision ${revision} is complete on disk.` };
	});
	return makeLive(run, { number, name: revision, manifest });
}

async function goBackToKept(run: ApplyRun, text: string, number: number): Promise<ApplyOutcome> {
	const { app, roots } = run;
	await run.steps.run('stage', async () => {
		await app.host.files.replaceFile(stagedInit(roots, number), bytesOf(text), policyAccess(app.host).file);
		return { value: undefined, status: 'ok', output: 'The policy from before the panel is complete on disk.' };
	});
	return makeLive(run, { number, name: '', manifest: undefined });
}

async function makeLive(
	run: ApplyRun,
	{ number, name, manifest }: { number: number; name: string; manifest: Manifest | undefined }
): Promise<ApplyOutcome> {
	const { app, roots, live, steps } = run;
	run.revision = { number, directory: name };
	const isValid = await steps.run('validate', async () => {
		const result = await validatePolicy(app.host, app.env.kumodBin, stagedInit(roots, number), run.patience.validateMs);
		return { value: result.status !== 'failed', ...result };
	});
	const pipeline = await pipelineOf(run);
	const onDisk = manifest && { revision: name, directory: join(roots.revisions, name), manifest };
	// The policy from before the panel knows no mailbox: Dovecot goes on serving what is in them.
	const dovecot = !isValid ? 'refused' : onDisk && (await prepareMail(pipeline, onDisk));
	if (dovecot === 'refused') {
		await app.host.files.remove(stagedInit(roots, number));
		return 'failed';
	}
	await app.db.update(applies).set({ revision: number }).where(eq(applies.id, run.id));
	const before = manifestOf(roots, live);
	const change = { revision: { number, name, live }, manifest, before, dovecot, kind: refreshKind(before, manifest) };
	const outcome = await goLive(pipeline, change);
	if (outcome === 'running') return outcome;
	await steps.run('record', async () => {
		if (outcome === 'applied') await markApplied(app, roots, number, name);
		return { value: undefined, status: 'ok', output: `Recorded as ${outcome}.` };
	});
	return outcome;
}
