import type { StepName } from '../../shared/apply-steps.ts';

export type StepStatus = 'ok' | 'failed' | 'skipped' | 'running';

/** One step as it was; the outcome of an apply says how all of it ended. */
export interface ApplyStep {
	name: StepName | 'revert';
	status: StepStatus;
	durationMs: number;
	output: string;
	/** The reason and the problems of the refusal that this step ended with. */
	refusal?: { reason: string; problems: unknown[] };
}

export type ApplyOutcome = 'running' | 'applied' | 'unchanged' | 'refused' | 'failed' | 'reverted' | 'interrupted';
