import { stepNames } from '../../src/lib/shared/apply-steps.ts';

/** How something goes wrong: a call that fails, a clock that jumps, a process that dies, a validator that hangs. */
export const failingCalls = ['ENOSPC', 'EACCES', 'EIO', 'EROFS'] as const;
export type FaultKind = (typeof failingCalls)[number] | 'clock' | 'killed' | 'hang';

export const faultSteps = [...stepNames, 'revert'] as const;
export type FaultStep = (typeof faultSteps)[number];

export interface Fault {
	kind: FaultKind;
	step: FaultStep;
}

/** Tells for each moment which step it belongs to, and its number there, counted from 0. */
export function momentReader(): (name: string) => { step: string; index: number } {
	let [step, index] = ['none', 0];
	return (name) => {
		const isBegin = name.startsWith('step.');
		[step, index] = isBegin ? [name.slice(5), 0] : [step, index + 1];
		return { step, index };
	};
}

/** What happens inside this process: every kind at every step, and a validator that hangs. */
export const ownFaults: Fault[] = [
	...([...failingCalls, 'clock'] as const).flatMap((kind) => faultSteps.map((step) => ({ kind, step }))),
	{ kind: 'hang', step: 'validate' }
];

/** A process that dies at each step; it watches nothing, so it has no way back. */
export const deaths: Fault[] = stepNames.map((step) => ({ kind: 'killed', step }));
