import type { App } from '../../app.ts';
import type { Simulation } from './inputs.ts';
import { inKumodTurn } from './kumod-run.ts';
import type { KumodRun } from './kumod-run.ts';
import type { Asked } from './steps.ts';
import type { Played } from './worker.ts';
import { asRunInKumod, notRunInKumod } from './unknowns.ts';

/** For all runs of one simulation, the time in the queue not counted. */
const budgetMs = 15_000;
/** Each run after the first follows where KumoMTA answered otherwise than the double. */
const mostRuns = 4;

/**
 * The simulation as KumoMTA itself answers it; by the double, with the reason, where KumoMTA does not. It never fails
 * because of KumoMTA.
 * @param first as the double played it
 * @param replay plays it again with what KumoMTA answered; undefined when the revision is another one by now
 */
export async function playInKumod(
	app: App,
	run: KumodRun,
	first: Played,
	replay: (known: Asked[]) => Promise<Played | undefined>,
	limitMs = budgetMs
): Promise<Simulation> {
	try {
		const answered = await inKumodTurn(app, () => follow(run, first, replay, limitMs));
		if (answered === undefined) return notRunInKumod(first.simulation, 'it is busy with other simulations');
		return 'problem' in answered ? notRunInKumod(first.simulation, answered.problem) : answered.simulation;
	} finally {
		await run.discard();
	}
}

type Followed = { simulation: Simulation } | { problem: string };

async function follow(
	run: KumodRun,
	first: Played,
	replay: (known: Asked[]) => Promise<Played | undefined>,
	limitMs: number
): Promise<Followed> {
	const until = performance.now() + limitMs;
	let { steps } = first;
	for (let runs = 0; runs < mostRuns; runs += 1) {
		const left = Math.round(until - performance.now());
		if (left <= 0) return { problem: 'it did not answer in time' };
		const { asked, standIns, problem } = await run.ask(steps, left);
		const played = await replay(asked);
		if (played === undefined) return { problem: 'the configuration was changed meanwhile' };
		if (played.isWhole) return { simulation: asRunInKumod(played.simulation, standIns) };
		if (problem !== undefined) return { problem };
		if (asked.some(({ step, answer }) => step.do !== 'path' && answer === undefined))
			return { problem: 'kumod did not answer every step' };
		({ steps } = played);
	}
	return { problem: 'its answers kept leading elsewhere' };
}
