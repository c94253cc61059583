import type { StepStatus } from './steps.ts';

/** How a step ended and what it has to say, for people. */
export interface StepResult {
	status: Exclude<StepStatus, 'running'>;
	output: string;
}
