import type { App } from '../../app.ts';
import type { ApplyRun } from '../apply-run.ts';
import type { PipelineOutcome } from '../pipeline.ts';
import type { ApplyStep } from '../steps.ts';
import { postConfirmUntil, postReport, readMailbox } from '../watch-mailbox.ts';
import type { Answer } from './answer.ts';
import { bringMirror } from './mirror.ts';
import type { WishOf } from './request.ts';
import { lookEveryMs, pause, readAnswer, sendRequest, silent, withdraw } from './send.ts';
import { refusalError } from './state.ts';

/** How long the applier may take until it says that it began: it is started for this, and reads the whole request. */
const beginMs = 60_000;

type Going = WishOf<'apply'> | WishOf<'restore'> | WishOf<'back'>;

/**
 * Lets the applier make something live, and follows it: its steps become those of this apply.
 * @throws UserError what it refuses; applier-silent when it did not begin.
 */
export async function goThroughApplier(
	run: ApplyRun,
	wish: Going,
	lines: Iterable<unknown> | AsyncIterable<unknown> = []
): Promise<PipelineOutcome> {
	const { app, id, caller, stop } = run;
	const request = await sendRequest(app, { ref: id, by: caller.name, wish, lines });
	const copy = copier(run);
	for (let waited = 0; ; waited += lookEveryMs) {
		const found = await readAnswer(app, request.ref);
		if (found !== undefined) {
			await copy(found);
			await forwardDecisions(app, request.ref);
			if (isEnded(found)) return endOf(app, found);
		} else if (waited >= beginMs && (await withdraw(request))) throw silent();
		if (stop.signal.aborted) return 'running';
		await pause(lookEveryMs);
	}
}

export const isEnded = (found: Answer) => found.outcome !== 'running' || found.isLeft;

/** What the panel itself did before is not told twice; a refusal is told by what is thrown. */
const isShown = ({ name, status }: ApplyStep) =>
	name === 'stage' ? status === 'failed' : !['check', 'routes', 'record'].includes(name);

export const shownSteps = (found: Answer): ApplyStep[] => found.steps.filter(isShown);

function copier({ app, id, steps }: ApplyRun): (found: Answer) => Promise<void> {
	const from = steps.steps.length;
	let last = '';
	return async (found) => {
		const text = JSON.stringify(found);
		if (text === last) return;
		last = text;
		await steps.take(from, shownSteps(found));
		await copyWatch(app, id, found);
	};
}

/** The row of the apply says what the applier's watch says, for the pages that follow it. */
export async function copyWatch(app: App, id: string, { report, confirmUntilAt }: Answer): Promise<void> {
	if (report !== null) await postReport(app.db, id, report);
	await postConfirmUntil(app.db, id, confirmUntilAt);
}

async function endOf(app: App, { outcome, refusal }: Answer): Promise<PipelineOutcome> {
	await bringMirror(app);
	if (refusal !== null) throw refusalError(refusal);
	if (outcome === 'applied' || outcome === 'reverted' || outcome === 'running') return outcome;
	return 'failed';
}

/** By apply: what was told to the applier already. */
const told = new Map<string, Set<string>>();

/** What somebody decided over a watched apply, in whatever process of the panel, reaches the applier that watches it. */
export async function forwardDecisions(app: App, ref: string): Promise<void> {
	const { end, confirmed } = await readMailbox(app.db, ref);
	const already = told.get(ref) ?? new Set();
	const tell = async (what: WishOf<'decide'>['what'], by: string) => {
		if (already.has(what)) return;
		already.add(what);
		told.set(ref, already);
		await sendRequest(app, { by, wish: { kind: 'decide', of: ref, what } });
	};
	if (end !== undefined) await tell(end.takeBack ? 'take-back' : 'keep', end.by);
	if (confirmed !== undefined) await tell('confirm', confirmed.by);
}
