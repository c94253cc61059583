/** The steps of an apply in their order; an outcome says how all of it ended. */
export const stepNames = [
	'snapshot',
	'render',
	'check',
	'stage',
	'routes',
	'validate',
	'swap',
	'refresh',
	'probe',
	'watch',
	'record'
] as const;
export type StepName = (typeof stepNames)[number];

export type StepStatus = 'ok' | 'failed' | 'skipped' | 'running';

export interface ApplyStep {
	name: StepName | 'revert';
	status: StepStatus;
	durationMs: number;
	output: string;
}

export type ApplyOutcome = 'running' | 'applied' | 'unchanged' | 'refused' | 'failed' | 'reverted' | 'interrupted';
