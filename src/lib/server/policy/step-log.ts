import { UserError } from '../core/errors.ts';
import type { StepResult } from './step-result.ts';
import type { ApplyStep } from './steps.ts';

/** The steps of one apply as they happen; every change is told, so that a page can follow. */
export interface StepLog {
	steps: ApplyStep[];
	/** Runs one step; its status and output become the record's. What it throws is recorded as failed and thrown on. */
	run<T>(name: ApplyStep['name'], work: () => Promise<StepResult & { value: T }>): Promise<T>;
	/** What a step that runs has to say so far; kept with the next change. */
	say(output: string): void;
	/** Puts steps that another process runs in place of all from the given one on. */
	take(from: number, taken: ApplyStep[]): Promise<void>;
	/** Records a step that was measured elsewhere. */
	add(step: ApplyStep): Promise<void>;
}

const maxOutput = 20_000;

/** @param begun runs as a step begins, inside it: what it throws, the step has thrown. */
export function createStepLog(
	clock: () => number,
	changed: (steps: ApplyStep[]) => Promise<void>,
	begun: (name: ApplyStep['name']) => void | Promise<void> = () => {}
): StepLog {
	const steps: ApplyStep[] = [];
	return {
		steps,
		async run(name, work) {
			const startedAt = clock();
			const step: ApplyStep = { name, status: 'running', durationMs: 0, output: '' };
			steps.push(step);
			await changed(steps);
			try {
				await begun(name);
				const { value, status, output } = await work();
				Object.assign(step, { status, output: output.slice(0, maxOutput) });
				return value;
			} catch (error) {
				const output =
					error instanceof UserError ? error.message : 'Something went wrong inside the panel; its log says what.';
				Object.assign(step, { status: 'failed', output, ...refusalOf(error) });
				throw error;
			} finally {
				step.durationMs = Math.max(0, clock() - startedAt);
				await changed(steps);
			}
		},
		say(output) {
			const step = steps.at(-1);
			if (step?.status === 'running') step.output = output.slice(0, maxOutput);
		},
		async take(from, taken) {
			steps.splice(from, Infinity, ...taken);
			await changed(steps);
		},
		async add(step) {
			steps.push({ ...step, output: step.output.slice(0, maxOutput) });
			await changed(steps);
		}
	};
}

/** What an apply that is answered later than it was asked still has to tell. */
function refusalOf(error: unknown): Pick<ApplyStep, 'refusal'> {
	if (!(error instanceof UserError)) return {};
	const { reason, problems } = error.detail;
	return reason === undefined || problems === undefined ? {} : { refusal: { reason, problems } };
}
