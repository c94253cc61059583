import { isPutBackOwed } from '../../shared/apply-steps.ts';
import type { App } from '../app.ts';
import { UserError } from '../core/errors.ts';
import type { Caller } from '../core/trpc.ts';
import { askApplier } from './applier/send.ts';
import { findApply, findRunning, finishRecord, markApplied, recordSteps, startRecord } from './apply-record.ts';
import type { ApplyRow } from './apply-record.ts';
import { readLive } from './live.ts';
import type { Live } from './live.ts';
import { takeLock } from './lock.ts';
import { usualPatience } from './probe.ts';
import type { Patience } from './probe.ts';
import { settleInterrupted } from './recover.ts';
import { findWatching, watchedRefusal } from './watch-wishes.ts';
import { trackApply } from './watch-stop.ts';
import { usualTimer } from './watch.ts';
import type { Timer } from './watch.ts';
import { policyRoots, prepareRoots } from './roots.ts';
import type { PolicyRoots } from './roots.ts';
import { createStepLog } from './step-log.ts';
import type { StepLog } from './step-log.ts';
import type { ApplyOutcome, ApplyStep } from './steps.ts';

export interface ApplyAnswer {
	applyId: string;
	revision: number | null;
	outcome: ApplyOutcome;
	steps: ApplyStep[];
}

export interface ApplyTimes {
	/** An apply that takes longer is answered as running; it goes on. */
	answerAfterMs: number;
	patience: Patience;
	/** The clock of the watch; absent: this machine’s monotonic one. */
	timer?: Timer;
}

export const usualTimes: ApplyTimes = { answerAfterMs: 20_000, patience: usualPatience };

/** One apply that holds the lock. */
export interface ApplyRun {
	app: App;
	caller: Caller;
	roots: PolicyRoots;
	id: string;
	/** What was live when the lock was taken. */
	live: Live;
	steps: StepLog;
	patience: Patience;
	timer: Timer;
	/** Ends the watch when the server stops. */
	stop: AbortController;
	/** Set as soon as a number is given. */
	revision?: { number: number; directory: string };
}

export interface ApplyRequest {
	caller: Caller;
	/** What is applied; an apply of the same that runs already is answered instead of a second one. */
	hash: string;
	reason: string | null;
	times?: ApplyTimes | undefined;
}

/**
 * Runs `work` under the lock with a record of its steps. Answers when it is finished or after `answerAfterMs`.
 * @throws UserError what `work` refuses before anything is staged, or by its golden routes; CONFLICT apply-running when
 *   another apply runs.
 */
export async function startApply(
	app: App,
	request: ApplyRequest,
	work: (run: ApplyRun) => Promise<ApplyOutcome>
): Promise<ApplyAnswer> {
	const { caller, hash, times = usualTimes } = request;
	const roots = policyRoots(app.env.kumomtaRoot);
	await prepareRoots(app.host, roots);
	const release = await lockOrFindSame(app, roots, caller, hash);
	if (typeof release !== 'function') return followApply(app, release.id, times.answerAfterMs);
	let run: ApplyRun;
	try {
		await settleInterrupted(app, roots);
		await assertNoneAwaited(app);
		if (app.env.applier !== undefined) await askApplier(app, caller.name);
		run = await openRun(app, roots, request);
	} catch (error) {
		release();
		throw error;
	}
	const finished = trackApply(app.db, run.stop, execute(run, work).finally(release));
	return answerInTime(finished, run, times.answerAfterMs);
}

/** Takes the lock, or finds the running apply of the same hash; its record may appear a moment after its lock. */
async function lockOrFindSame(
	app: App,
	roots: PolicyRoots,
	{ name }: Caller,
	hash: string
): Promise<ApplyRow | (() => void)> {
	for (let tries = 0; ; tries += 1) {
		try {
			return takeLock(roots, { actor: name, since: app.clock(), pid: process.pid });
		} catch (error) {
			if (!(error instanceof UserError) || error.detail.reason !== 'apply-running') throw error;
			const same = await findRunning(app, hash);
			if (same !== undefined) return same;
			if (tries === 5) {
				await assertNoneAwaited(app);
				throw error;
			}
			await pause(50);
		}
	}
}

/** An apply that is watched, or waits to be confirmed after its process ended. @throws UserError apply-running */
async function assertNoneAwaited(app: App): Promise<void> {
	const watching = await findWatching(app);
	if (watching !== null) throw watchedRefusal(watching);
}

async function openRun(
	app: App,
	roots: PolicyRoots,
	{ caller, hash, reason, times = usualTimes }: ApplyRequest
): Promise<ApplyRun> {
	const live = await readLive(app.host, roots);
	const previousRevision = 'number' in live ? live.number : null;
	const id = await startRecord(app, { actor: caller.actor, actorName: caller.name, reason, hash, previousRevision });
	const steps = createStepLog(
		app.clock,
		(all) =>
			// Progress is for whoever watches; the end is what must be written.
			recordSteps(app, id, all).catch((error: unknown) =>
				app.log.warn('progress of an apply was not kept', { applyId: id, error })
			),
		(name) => app.host.faultPoint(`step.${name}`)
	);
	const { patience, timer = usualTimer } = times;
	return { app, caller, roots, id, live, steps, patience, timer, stop: new AbortController() };
}

async function execute(run: ApplyRun, work: (run: ApplyRun) => Promise<ApplyOutcome>): Promise<ApplyAnswer> {
	const { app, id, steps } = run;
	try {
		const outcome = await work(run);
		if (outcome === 'running') await recordOpen(run);
		else await finishRecord(app, id, outcome, steps.steps);
		return answerOf(run, outcome);
	} catch (error) {
		if (!(error instanceof UserError)) app.log.error('apply failed', { applyId: id, error });
		const outcome = await outcomeOf(run, error);
		await finishRecord(app, id, outcome, steps.steps);
		if (outcome === 'refused' || steps.steps.every(isBeforeStage)) throw error;
		return answerOf(run, outcome);
	}
}

/** What is settled later stays open in the record; a way back that failed is told in the log too. */
async function recordOpen({ app, id, steps, revision }: ApplyRun): Promise<void> {
	if (isPutBackOwed({ outcome: 'running', steps: steps.steps }))
		app.log.error('a revision could not be put back', {
			applyId: id,
			revision: revision?.number,
			output: steps.steps.at(-1)?.output
		});
	await recordSteps(app, id, steps.steps);
}

const isBeforeStage = ({ name }: ApplyStep) => name === 'snapshot' || name === 'render' || name === 'check';

/**
 * How an apply ended that was broken off. A revision that is live and was looked at is applied, also when writing that
 * down failed; one that could not be put back is live all the same, and the record says so.
 */
async function outcomeOf({ app, roots, revision, steps }: ApplyRun, error: unknown): Promise<ApplyOutcome> {
	const live = await readLive(app.host, roots);
	const isLive = revision !== undefined && 'number' in live && live.number === revision.number;
	if (isLive) await markApplied(app, roots, revision.number, revision.directory);
	const last = steps.steps.at(-1);
	if (isLive && last?.name === 'record') return 'applied';
	const isRefusal = steps.steps.every(isBeforeStage) || last?.name === 'routes';
	return error instanceof UserError && isRefusal ? 'refused' : 'failed';
}

function answerOf({ id, revision, live, steps }: ApplyRun, outcome: ApplyOutcome): ApplyAnswer {
	const number = revision?.number ?? (outcome === 'unchanged' && 'number' in live ? live.number : null);
	return { applyId: id, revision: number, outcome, steps: steps.steps };
}

async function answerInTime(finished: Promise<ApplyAnswer>, run: ApplyRun, waitMs: number): Promise<ApplyAnswer> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<ApplyAnswer>((resolve) => {
		timer = setTimeout(() => resolve(structuredClone(answerOf(run, 'running'))), waitMs);
	});
	finished.catch(() => {
		// Already recorded; whoever waits in time gets it from the race below.
	});
	try {
		return await Promise.race([finished, late]);
	} finally {
		clearTimeout(timer);
	}
}

/** Waits for an apply that another call, or another process, runs. */
async function followApply(app: App, id: string, waitMs: number): Promise<ApplyAnswer> {
	for (let waited = 0; ; waited += 100) {
		const row = await findApply(app, id);
		if (row === undefined) throw new Error('The record of a running apply is gone.');
		if (row.outcome !== 'running' || waited >= waitMs) return answerOfRow(row);
		await pause(100);
	}
}

export function answerOfRow({ id, revision, outcome, steps }: ApplyRow): ApplyAnswer {
	return { applyId: id, revision, outcome, steps };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
