/** The steps of an apply in their order. */
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
