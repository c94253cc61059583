import { listenersOf } from './listeners.ts';
import type { Change, Pipeline } from './pipeline.ts';
import { forgetRefresh, refreshKumod } from './refresh.ts';
import type { RefreshKind } from './refresh.ts';
import type { MetricsSource } from './watch-meter.ts';
import { countedBefore } from './watch-meter.ts';
import { confirmMs, watchRevision } from './watch.ts';
import type { Timer, Watch, WatchResult } from './watch.ts';

/** What the watch of an apply needs of the panel; the pipeline itself knows no database. */
export interface WatchHooks extends Pick<Watch, 'readMailbox' | 'post'> {
	/** 0: applies are not watched. */
	seconds: number;
	confirmListeners: boolean;
	metrics: MetricsSource | undefined;
	timer: Timer;
	stop: AbortSignal;
	postConfirmUntil: (at: number | null) => Promise<void>;
}

interface WatchedChange extends Change {
	secondBumpAt: number | undefined;
	mustConfirm: boolean;
}

/** What restarts KumoMTA has to be confirmed where Settings say so; the promise is written down before the swap. */
export async function needsConfirmation({ watch, clock }: Pipeline, kind: RefreshKind): Promise<boolean> {
	if (watch === undefined || !watch.confirmListeners || kind !== 'restart') return false;
	await watch.postConfirmUntil(clock() + watch.seconds * 1000 + confirmMs);
	return true;
}

/** The step `watch`, made ready before the swap: what was counted until then is what it compares with. */
export function watchStep(pipeline: Pipeline, change: WatchedChange): () => Promise<WatchResult['end']> {
	const { steps, watch } = pipeline;
	if (watch === undefined) return () => Promise.resolve('kept');
	const before = countedBefore(watch.metrics);
	return async () => {
		const whyNot = reasonNotToWatch(pipeline, watch, change);
		try {
			const { end } = await steps.run('watch', async () => {
				if (whyNot === undefined) {
					const result = await watchRevision(watchOf(pipeline, watch, change, before));
					return { value: result, ...result };
				}
				if (change.mustConfirm) await watch.postConfirmUntil(null);
				const result: WatchResult = { status: 'skipped', output: whyNot, end: 'kept' };
				return { value: result, ...result };
			});
			return end;
		} catch {
			// After the swap even a bug must lead back; the step says what happened.
			return 'back';
		}
	};
}

function reasonNotToWatch({ steps }: Pipeline, { seconds }: WatchHooks, change: WatchedChange): string | undefined {
	if (change.manifest === undefined) return 'This policy is not the panel’s, so it is not judged.';
	const probe = steps.steps.findLast(({ name }) => name === 'probe');
	if (probe?.status !== 'ok') return 'KumoMTA was not seen running this revision, so there is nothing to watch.';
	if (seconds === 0 && !change.mustConfirm) return 'Watching is off in Settings.';
	return undefined;
}

function watchOf(pipeline: Pipeline, hooks: WatchHooks, change: WatchedChange, before: Watch['before']): Watch {
	const { host, kumod, credential, clock, patience, steps } = pipeline;
	const { metrics, timer, stop, readMailbox, post, postConfirmUntil } = hooks;
	return {
		...{ host, kumod, credential, clock, metrics, timer, stop, readMailbox, post, postConfirmUntil, before },
		listeners: listenersOf(change.manifest),
		greetMs: Math.min(patience.greetMs, 5000),
		watchMs: hooks.seconds * 1000,
		mustConfirm: change.mustConfirm,
		secondEpoch: secondEpoch(pipeline, change),
		say: (output) => steps.say(output)
	};
}

/** Paid inside the apply, so that the whole change is watched; when that fails, or the panel ends, the job pays it. */
function secondEpoch(pipeline: Pipeline, { secondBumpAt }: WatchedChange): Watch['secondEpoch'] {
	if (secondBumpAt === undefined) return undefined;
	const { host, roots, kumod, credential, kumodBin, clock } = pipeline;
	return {
		inMs: Math.min(Math.max(0, secondBumpAt - clock()), 65_000),
		pay: async () => {
			const context = { host, kumod, credential, isInstalled: kumodBin !== undefined };
			const { status, output } = await refreshKumod(context, 'bump');
			if (status !== 'ok') return `The second configuration epoch is still owed and is tried again: ${output}`;
			await forgetRefresh(host, roots);
			return 'The second configuration epoch was started: pools and sources are read anew everywhere.';
		}
	};
}
