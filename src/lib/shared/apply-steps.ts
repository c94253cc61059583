/** The steps of an apply in their order. */
export const stepNames = [
	'snapshot',
	'render',
	'check',
	'stage',
	'routes',
	'validate',
	'dovecot',
	'swap',
	'refresh',
	'probe',
	'watch',
	'record'
] as const;
export type StepName = (typeof stepNames)[number];

/** A revision that should go and could not be put back: its way back is tried again until it is done. */
export function isPutBackOwed({
	outcome,
	steps
}: {
	outcome: string;
	steps: readonly { name: string; status: string }[];
}): boolean {
	const last = steps.at(-1);
	return outcome === 'running' && last?.name === 'revert' && last.status === 'failed';
}
