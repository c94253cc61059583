/** A number with the unit that was chosen for it; null while none is entered. */
export interface Counted {
	count: number | null;
	unit: string;
}

export interface Unit {
	value: string;
	label: string;
}

/** Values are seconds. */
export const timeUnits: Unit[] = [
	{ value: '1', label: 'seconds' },
	{ value: '60', label: 'minutes' },
	{ value: '3600', label: 'hours' },
	{ value: '86400', label: 'days' }
];

/** Seconds in the largest unit that leaves a whole number. */
export function countedTime(seconds: number | null, unit: string): Counted {
	if (seconds === null) return { count: null, unit };
	const largest = timeUnits.findLast(({ value }) => seconds % Number(value) === 0) ?? { value: '1' };
	return { count: seconds / Number(largest.value), unit: largest.value };
}

export function secondsOf({ count, unit }: Counted): number | null {
	return count === null ? null : count * Number(unit);
}
