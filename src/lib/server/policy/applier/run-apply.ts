import { UserError } from '../../core/errors.ts';
import { dovecotPlace } from '../../dovecot/service.ts';
import { createMetricsCache } from '../../kumod/metrics-cache.ts';
import { assertMayReplace, assertReviewed, assertSound } from '../apply-check.ts';
import { findDrift } from '../drift.ts';
import { goBackToKept, goBackToRevision } from '../go-back.ts';
import { checkKumodVersion } from '../kumod-version.ts';
import { readLive } from '../live.ts';
import type { Live } from '../live.ts';
import { takeLock } from '../lock.ts';
import { findMailDrift } from '../mail-step.ts';
import { runPipeline } from '../pipeline.ts';
import type { Pipeline, PipelineOutcome } from '../pipeline.ts';
import { prepareRoots } from '../roots.ts';
import { createStepLog } from '../step-log.ts';
import type { StepLog } from '../step-log.ts';
import type { WatchHooks } from '../watch-step.ts';
import { writeRevision } from '../write-revision.ts';
import type { Answer } from './answer.ts';
import type { Applier, Taken } from './applier-parts.ts';
import { buildFromData, buildFromRevision, openSealed } from './build.ts';
import type { OwnBuild } from './build.ts';
import { highestNumber, lookAtAll, refusalOf } from './look.ts';
import { removeOldOnDisk } from './retain.ts';
import type { Wish, WishOf } from './request.ts';

export type Going = Taken<WishOf<'apply'> | WishOf<'restore'> | WishOf<'back'>>;

/** One apply of the applier: its lock is held. */
interface Course {
	applier: Applier;
	answer: Answer;
	live: Live;
	steps: StepLog;
	pipeline: Pipeline;
}

/** Makes something live, and answers step by step. Never throws: what went wrong stands in the answer. */
export async function runApply(applier: Applier, taken: Going): Promise<void> {
	const { records, clock, log } = applier;
	const answer = firstAnswer(taken, clock());
	applier.running = { answer };
	try {
		await records.writeAnswer(answer);
		answer.outcome = await underLock(applier, answer, taken);
	} catch (error) {
		if (!(error instanceof UserError)) log.error('apply failed', { ref: taken.ref, error });
		answer.refusal = error instanceof UserError ? refusalOf(error) : unexpected;
		answer.outcome = answer.steps.every(({ name }) => name === 'check') ? 'refused' : 'failed';
	} finally {
		applier.running = undefined;
		answer.changedAt = clock();
		answer.isLeft = answer.outcome === 'running';
		// The state first: whoever reads the end may rely on it.
		await records.writeState(await lookAtAll(applier));
		await records.writeAnswer(answer);
	}
}

const unexpected: Answer['refusal'] = {
	code: 'PRECONDITION_FAILED',
	message:
		'Something went wrong inside the applier. What was live before is live. Its log says what: journalctl -u kumomta-ui-applier',
	reason: 'applier-failed',
	problems: []
};

export function firstAnswer({ ref, by, wish }: { ref: string; by: string; wish: Wish }, now: number): Answer {
	return {
		...{ format: 1, ref, kind: wish.kind, by, outcome: 'running', startedAt: now, changedAt: now },
		...{ revision: null, directory: '', previousRevision: null },
		...{ steps: [], report: null, confirmUntilAt: null, decided: {}, refusal: null, isLeft: false }
	};
}

async function underLock(applier: Applier, answer: Answer, taken: Going): Promise<PipelineOutcome> {
	const { host, roots, clock, records } = applier;
	await prepareRoots(host, roots);
	const release = takeLock(roots, { actor: taken.by, since: clock(), pid: process.pid });
	try {
		const left = (await records.unfinished()).filter(({ ref }) => ref !== taken.ref);
		if (left.length > 0) throw stillOpen();
		const live = await readLive(host, roots);
		answer.previousRevision = 'number' in live ? live.number : null;
		const course = await openCourse(applier, { answer, live, wish: taken.wish });
		const outcome = await go(course, taken);
		if (outcome === 'applied') await removeOldOnDisk(applier);
		return outcome;
	} finally {
		release();
	}
}

function stillOpen(): UserError {
	return new UserError(
		'CONFLICT',
		'An apply before this one is live and not settled yet. This one was not started. Wait until it is, or decide it, then look at the changes again.',
		{ reason: 'apply-running' }
	);
}

async function openCourse(
	applier: Applier,
	{ answer, live, wish }: { answer: Answer; live: Live; wish: Going['wish'] }
): Promise<Course> {
	const { host, kumod, roots, clock, env, patience, records, credentials } = applier;
	const write = () => records.writeAnswer({ ...answer, changedAt: clock() });
	const steps = createStepLog(
		clock,
		(all) => {
			answer.steps = all;
			return write();
		},
		(name) => host.faultPoint(`step.${name}`)
	);
	const pipeline: Pipeline = {
		...{ host, kumod, roots, clock, steps, patience, kumodBin: env.kumodBin },
		mail: dovecotPlace(host, env),
		credential: await credentials.read(),
		watch: watchHooks(applier, { answer, wish, write })
	};
	return { applier, answer, live, steps, pipeline };
}

function watchHooks(
	{ kumod, clock, timer }: Applier,
	{ answer, wish, write }: { answer: Answer; wish: Going['wish']; write: () => Promise<void> }
): WatchHooks {
	return {
		seconds: wish.watchSeconds,
		confirmListeners: wish.confirmListeners,
		metrics: createMetricsCache(kumod, clock),
		timer,
		// This process is not stopped by its own will: what interrupts it is settled by the next one.
		stop: new AbortController().signal,
		readMailbox: () => Promise.resolve(answer.decided),
		async post(report) {
			answer.report = report;
			await write();
		},
		async postConfirmUntil(at) {
			answer.confirmUntilAt = at;
			await write();
		}
	};
}

async function go(course: Course, taken: Going): Promise<PipelineOutcome> {
	const { wish } = taken;
	if (wish.kind === 'back') return goBack(course, wish);
	const { applier, live, steps } = course;
	const built = await steps.run('check', async () => {
		const value =
			wish.kind === 'apply'
				? await buildFromData(applier, { ...taken, wish }, live)
				: await buildFromRevision(applier, { ...taken, wish }, live);
		try {
			await check(course, value, wish);
		} catch (error) {
			await value.remove();
			throw error;
		}
		return { value, status: 'ok', output: `Rendered from the data alone. Hash ${value.hash}.` };
	});
	try {
		return await applyBuilt(course, built, wish.number);
	} finally {
		await built.remove();
	}
}

/** Everything that can refuse before anything of KumoMTA's is touched. */
async function check(
	{ applier, live }: Course,
	built: OwnBuild,
	wish: WishOf<'apply'> | WishOf<'restore'>
): Promise<void> {
	const { host, roots, env } = applier;
	assertReviewed(built.hash, wish.hash);
	if (wish.number <= (await highestNumber(applier))) throw numberTaken(wish.number);
	if (env.kumodBin !== undefined) await checkKumodVersion(host, env.kumodBin);
	const drift = [...(await findDrift(host, roots, live)), ...(await findMailDrift(applier, roots, live))];
	assertMayReplace(roots.init, { live, drift }, wish);
	assertSound(built);
}

function numberTaken(number: number): UserError {
	return new UserError(
		'CONFLICT',
		`The number ${number} was given to a revision before. Nothing was applied. Look at the changes again and apply.`,
		{ reason: 'number-taken' }
	);
}

async function applyBuilt(course: Course, built: OwnBuild, number: number): Promise<PipelineOutcome> {
	const { applier, answer, live, pipeline } = course;
	const name = `${number}-${built.hash.slice(0, 12)}`;
	Object.assign(answer, { revision: number, directory: name });
	return runPipeline(pipeline, {
		...{ number, name, live, directoryHash: built.manifest.directoryHash },
		write: (directory, linkDirectoryFrom) =>
			writeRevision(built.directory, built.manifest, directory, { revision: name, linkDirectoryFrom }),
		privateKeys: (keys) => Promise.resolve(openSealed(applier, built, keys)),
		routes: () => Promise.resolve({ status: 'skipped', output: 'The panel ran them.' })
	});
}

async function goBack(
	{ answer, live, pipeline }: Course,
	{ live: wanted, to, sha256 }: WishOf<'back'>
): Promise<PipelineOutcome> {
	if (wanted !== null && (!('revision' in live) || live.revision !== wanted)) throw moved();
	const begin = (revision: number, directory: string) => {
		Object.assign(answer, { revision, directory });
		return Promise.resolve();
	};
	if (to !== null) return goBackToRevision(pipeline, { revision: to, live, begin });
	if (sha256 === null) throw moved();
	return goBackToKept(pipeline, { sha256, live, begin });
}

function moved(): UserError {
	return new UserError(
		'CONFLICT',
		'Something else is live than what was to be taken back. Nothing was changed. Look at the state of the policy.',
		{ reason: 'not-live' }
	);
}
