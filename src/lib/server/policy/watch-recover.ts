import { dovecotPlace } from '../dovecot/service.ts';
import type { ApplyRow } from './apply-record.ts';
import type { MailApp } from './mail-step.ts';
import type { Pipeline } from './pipeline.ts';
import { bytesOf, readLive, readLua, revisionIn, sha256 } from './live.ts';
import type { Live } from './live.ts';
import { manifestOf, refreshKind } from './pipeline.ts';
import { usualPatience } from './probe.ts';
import type { Patience } from './probe.ts';
import { takeBack } from './put-back.ts';
import { secondBumpAfterMs } from './refresh.ts';
import type { PolicyRoots } from './roots.ts';
import { createStepLog } from './step-log.ts';
import type { ApplyOutcome, ApplyStep } from './steps.ts';
import { mailboxOf } from './watch-report.ts';
import { confirmMs } from './watch.ts';

/** Longer than any watch and confirmation: a deadline further away was written by a clock that was wrong. */
const longestMs = confirmMs + 2 * 600_000;

/** What a way back needs of the app, or of a process of root that has none. */
export interface PutBackApp extends Pick<Pipeline, 'host' | 'kumod' | 'clock' | 'credential'> {
	env: MailApp['env'] & { kumodBin: string | undefined };
}

/** What is known of an apply whose process is gone. */
type LeftApply = Pick<ApplyRow, 'watch' | 'steps' | 'revision' | 'confirmUntilAt'>;

export type Settlement = 'open' | 'back' | Extract<ApplyOutcome, 'applied' | 'reverted' | 'interrupted'>;

/**
 * What becomes of an apply whose process is gone. The live file decides: a revision whose watch was broken off stays
 * live; one that was found bad, or that nobody confirmed in time, goes back.
 */
export function settlementOf(row: LeftApply, live: Live, now: number): Settlement {
	const { report, end, confirmed } = mailboxOf(row.watch);
	const wasWatched =
		report !== undefined || row.steps.some(({ name, status }) => name === 'watch' && status === 'running');
	const isLive = live.kind === 'ours' && live.number === row.revision;
	const failed = new Set(row.steps.filter(({ status }) => status === 'failed').map(({ name }) => name));
	const hasFailedLive = (['refresh', 'probe', 'watch', 'revert'] as const).some((name) => failed.has(name));
	const isBad =
		end?.takeBack === true ||
		['breach', 'taken-back', 'not-confirmed'].includes(report?.verdict ?? 'good') ||
		hasFailedLive ||
		(isLive && failed.has('swap'));
	if (!isLive) return (wasWatched || hasFailedLive) && isBad ? 'reverted' : 'interrupted';
	if (isBad) return 'back';
	if (row.confirmUntilAt !== null && confirmed === undefined)
		return now >= row.confirmUntilAt || row.confirmUntilAt - now > longestMs ? 'back' : 'open';
	return wasWatched || confirmed !== undefined ? 'applied' : 'interrupted';
}

/** How the steps end that nobody will finish. */
export function endedSteps(steps: ApplyStep[], settlement: Settlement): ApplyStep[] {
	return steps.map((step) => {
		if (step.status !== 'running') return step;
		if (step.name !== 'watch' || settlement === 'interrupted')
			return { ...step, status: 'failed', output: 'The panel stopped during this step.' };
		return settlement === 'applied'
			? { ...step, status: 'skipped', output: `Not judged: the panel stopped.\n${step.output}`.trim() }
			: { ...step, status: 'failed', output: `The panel stopped; it was not confirmed.\n${step.output}`.trim() };
	});
}

/** The steps of a way back that was tried again and failed again: the last try stands for those before it. */
export function stuckSteps(steps: ApplyStep[], tried: ApplyStep[]): ApplyStep[] {
	const last = steps.at(-1);
	return [...(last?.name === 'revert' ? steps.slice(0, -1) : steps), ...tried];
}

/**
 * Puts back what was live before an apply whose process is gone, or whose way back failed. Answers the steps that it took
 * and whether it is live again; undefined: what was live before is not there any more.
 */
export async function takeBackInterrupted(
	app: PutBackApp,
	roots: PolicyRoots,
	row: Pick<ApplyRow, 'previousRevision'>,
	patience: Patience = usualPatience
): Promise<{ isBack: boolean; steps: ApplyStep[] } | undefined> {
	const now = await readLive(app.host, roots);
	const before = liveFrom(await readLua(app.host, roots.previous));
	if (!('number' in now) || ('number' in before ? before.number : null) !== row.previousRevision) return undefined;
	const { host, kumod, clock, env, credential } = app;
	const steps = createStepLog(clock, () => Promise.resolve());
	const [manifest, manifestBefore] = [manifestOf(roots, now), manifestOf(roots, before)];
	const isBack = await takeBack(
		{
			...{ host, kumod, roots, clock, steps, patience, credential },
			kumodBin: env.kumodBin,
			mail: dovecotPlace(host, env)
		},
		{
			revision: { number: now.number, name: now.revision, live: before },
			manifest,
			before: manifestBefore,
			// Whoever settles this lets Dovecot follow.
			dovecot: undefined,
			kind: refreshKind(manifestBefore, manifest),
			secondBumpAt: manifest?.sourcesHash === manifestBefore?.sourcesHash ? undefined : clock() + secondBumpAfterMs
		}
	);
	return { isBack, steps: steps.steps };
}

function liveFrom(text: string | undefined): Live {
	if (text === undefined) return { kind: 'absent' };
	const ours = revisionIn(text);
	return ours === undefined
		? { kind: 'foreign', text, sha256: sha256(bytesOf(text)) }
		: { kind: 'ours', text, ...ours };
}
