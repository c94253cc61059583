import type { Outputs } from '$lib/api';
import type { Counted } from './counted';

export type Limits = Outputs['senders']['get']['limits'];

export const limitUnits = [
	{ value: 'perSecond', label: 'per second' },
	{ value: 'perMinute', label: 'per minute' },
	{ value: 'perHour', label: 'per hour' },
	{ value: 'perDay', label: 'per day' }
];

/** "1,000 per hour". */
export function limitText(limits: Limits): string {
	const { count, unit } = countedLimit(limits);
	return count === null
		? 'no limit'
		: `${count.toLocaleString('en')} ${limitUnits.find(({ value }) => value === unit)?.label ?? ''}`;
}

/** The one limit that is set, as a form holds it. */
export function countedLimit(limits: Limits): Counted {
	const [unit, count] = Object.entries(limits ?? {}).find(([, each]) => each !== undefined) ?? [];
	return { count: count ?? null, unit: unit ?? 'perHour' };
}

/** As the API takes it; null is no limit. */
export function limitsOf({ count, unit }: Counted): Limits {
	return count === null ? null : { [unit]: count };
}
