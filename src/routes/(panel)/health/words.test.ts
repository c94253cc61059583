import { describe, expect, it } from 'vitest';
import { byOutcome, lead } from './words';
import type { HealthItem } from './words';

const counts = { failed: 0, warning: 0, unknown: 0, ok: 0 };

describe('the state of the server in a sentence', () => {
	it.each([
		[counts, null, 'Nothing was looked at yet.'],
		[{ ...counts, ok: 3 }, 1, 'Everything that could be seen is in order.'],
		[
			{ ...counts, ok: 3, unknown: 2 },
			1,
			'Everything that could be seen is in order. What 2 of the checks look at is not known.'
		],
		[{ ...counts, warning: 1 }, 1, 'Nothing failed; one check warns.'],
		[{ ...counts, warning: 2 }, 1, 'Nothing failed; 2 checks warn.'],
		[{ ...counts, failed: 1, warning: 2 }, 1, '1 of the checks failed, 2 warn.'],
		[{ ...counts, failed: 2 }, null, '2 of the checks failed.']
	])('%o at %s', (given, checkedAt, expected) => {
		expect(lead({ counts: given, checkedAt })).toBe(expected);
	});
});

it('puts the worst first and leaves out what was never run', () => {
	const item = (id: string, outcome: HealthItem['outcome']) => ({ id, outcome }) as HealthItem;
	const sections = byOutcome([item('a', 'ok'), item('b', null), item('c', 'failed'), item('d', 'ok')]);
	expect(sections.map(({ outcome, items }) => [outcome, items.map(({ id }) => id)])).toEqual([
		['failed', ['c']],
		['ok', ['a', 'd']]
	]);
});
