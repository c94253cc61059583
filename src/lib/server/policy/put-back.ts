import { UserError } from '../core/errors.ts';
import { credentialFor } from './credential.ts';
import { listenersOf } from './listeners.ts';
import { readLive, textOf } from './live.ts';
import { takeDovecotBack } from './mail-step.ts';
import type { Change, Pipeline } from './pipeline.ts';
import { probeKumod } from './probe.ts';
import { planSecondBump, refreshContext, refreshKumod, rememberRefresh } from './refresh.ts';
import type { StepResult } from './step-result.ts';
import { putBack } from './swap.ts';

type WayBack = Change & { secondBumpAt: number | undefined };

/** Puts back what was live before a change that another process made. Answers whether it is live again. */
export function takeBack(pipeline: Pipeline, change: WayBack): Promise<boolean> {
	return undo({ ...pipeline, credential: credentialFor(pipeline.credential, change.before) }, change);
}

/**
 * Answers whether what was live before is live again. When not, one rename did not happen: the revision that should go is
 * still live, whole, and `recoverApplies` tries again. What fails after that rename is owed to KumoMTA and paid by its job.
 */
export async function undo(pipeline: Pipeline, change: WayBack): Promise<boolean> {
	const { host, roots, steps } = pipeline;
	const { live } = change.revision;
	try {
		await steps.run('revert', () => goBack(pipeline, change));
		return true;
	} catch (error) {
		const isBack = await readLive(host, roots).then(
			(now) => textOf(now) === textOf(live),
			() => false
		);
		const step = steps.steps.findLast(({ name }) => name === 'revert');
		if (step !== undefined) step.output = `${isBack ? whatIsOwed : whatIsStuck} ${reasonOf(error)}`;
		return isBack;
	}
}

const whatIsStuck =
	'This revision should go and could not be put back. It is still live, whole. The panel tries again every minute and when it starts.';
const whatIsOwed =
	'What was live before is live again, but not every step of the way back was done. What KumoMTA has to be told is tried again.';
/** What a file said of the live policy is true of applies, not of their way back. */
const reasonOf = (error: unknown) =>
	error instanceof UserError
		? error.message.replace(' What was live before is still live.', '')
		: 'The reason is in the panel’s log.';

async function goBack(
	pipeline: Pipeline,
	{ revision, before, dovecot, kind, secondBumpAt }: WayBack
): Promise<StepResult & { value: undefined }> {
	const { host, roots, kumod, credential, patience, clock } = pipeline;
	if (before !== undefined) await rememberRefresh(host, roots, { revision: before.revision, kind, dueAt: clock() });
	await putBack(host, roots, revision.live);
	const lines = [before ? `Revision ${before.revision} is live again.` : 'What was live before is live again.'];
	const refreshed = await refreshKumod(refreshContext(pipeline), kind);
	lines.push(refreshed.output);
	if (refreshed.status !== 'failed')
		await planSecondBump(host, roots, { revision: before?.revision ?? '', dueAt: before && secondBumpAt });
	lines.push(...(await takeDovecotBack(pipeline, dovecot)));
	if (refreshed.status !== 'ok' || before === undefined)
		return { value: undefined, status: refreshed.status, output: lines.join('\n') };
	const listeners = listenersOf(before);
	const probed = await probeKumod({
		kumod,
		credential,
		patience,
		loadsBefore: undefined,
		refreshed: kind,
		listeners
	});
	return { value: undefined, status: probed.status, output: [...lines, probed.output].join('\n') };
}
