import { eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import { notFound, UserError } from '../core/errors.ts';
import type { Caller } from '../core/trpc.ts';
import { pipelineOf, revisionGone } from './apply.ts';
import { findApply, markApplied } from './apply-record.ts';
import { startApply } from './apply-run.ts';
import type { ApplyAnswer, ApplyRun, ApplyTimes } from './apply-run.ts';
import { goThroughApplier } from './applier/follow.ts';
import { knownState } from './applier/state.ts';
import { watchWish } from './applier/through.ts';
import { goBackToKept, goBackToRevision } from './go-back.ts';
import { bytesOf, readLua, revisionIn, sha256 } from './live.ts';
import type { PipelineOutcome } from './pipeline.ts';
import { policyRoots } from './roots.ts';
import type { ApplyOutcome } from './steps.ts';
import { findKept } from './swap.ts';
import { applies, revisions } from './tables.ts';

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
		const original = (await knownState(app))?.previous;
		const kept = typeof original === 'object' && original !== null ? original.sha256 : sha256(bytesOf(text));
		const outcome = await goBack(run, before ?? null, kept);
		if (outcome === 'applied') await app.db.update(applies).set({ outcome: 'reverted' }).where(eq(applies.id, applyId));
		return outcome;
	});
}

/** Revision 0: the policy that was here before the panel. */
export async function restoreKept(app: App, caller: Caller, times?: ApplyTimes): Promise<ApplyAnswer> {
	const roots = policyRoots(app.env.kumomtaRoot);
	const [row] = await app.db.select().from(revisions).where(eq(revisions.number, 0)).limit(1);
	const isThere =
		app.env.applier === undefined
			? row !== undefined && (await findKept(app.host, roots, row.hash)) !== undefined
			: (await knownState(app))?.kept?.sha256 === row?.hash;
	if (row === undefined || !isThere) throw revisionGone(0);
	const reason = 'Restores the policy from before the panel.';
	return startApply(app, { caller, hash: row.hash, reason, times }, (run) => goBack(run, null, row.hash));
}

function notLive(): UserError {
	return new UserError(
		'PRECONDITION_FAILED',
		'This apply did not make what is live now, so it cannot be taken back. Nothing was changed. Restore the revision you want instead.',
		{ reason: 'not-live' }
	);
}

type Before = { revision: string; number: number };

/** @param before null: the policy from before the panel, by its SHA-256. */
async function goBack(run: ApplyRun, before: Before | null, kept: string): Promise<ApplyOutcome> {
	const { app, roots, live, steps } = run;
	const begin = async (number: number, directory: string) => {
		run.revision = { number, directory };
		await app.db.update(applies).set({ revision: number }).where(eq(applies.id, run.id));
	};
	const outcome =
		app.env.applier === undefined
			? before === null
				? await goBackToKept(await pipelineOf(run), { sha256: kept, live, begin })
				: await goBackToRevision(await pipelineOf(run), { revision: before.revision, live, begin })
			: await goBackThroughApplier(run, before, { kept, begin });
	if (outcome === 'running' || outcome === 'failed') return outcome;
	await steps.run('record', async () => {
		const { number, directory } = run.revision ?? { number: 0, directory: '' };
		if (outcome === 'applied') await markApplied(app, roots, number, directory);
		return { value: undefined, status: 'ok', output: `Recorded as ${outcome}.` };
	});
	return outcome;
}

async function goBackThroughApplier(
	run: ApplyRun,
	before: Before | null,
	{ kept, begin }: { kept: string; begin: (number: number, directory: string) => Promise<void> }
): Promise<PipelineOutcome> {
	const { app, live } = run;
	await begin(before?.number ?? 0, before?.revision ?? '');
	return goThroughApplier(run, {
		kind: 'back',
		live: 'revision' in live ? live.revision : null,
		to: before?.revision ?? null,
		sha256: before === null ? kept : null,
		...(await watchWish(app))
	});
}
