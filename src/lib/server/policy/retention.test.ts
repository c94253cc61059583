import { describe, expect, it } from 'vitest';
import { fatesOf, usualRetention } from './retention.ts';
import { retentionInWords } from './retention-words.ts';

const day = 86_400_000;
const now = Date.UTC(2026, 5, 1);
const inUse = { live: '250-a', previous: '200-a' };
/** 250 revisions, the newest first, one a day. */
const rows = Array.from({ length: 250 }, (_, index) => ({
	number: 250 - index,
	directory: `${250 - index}-a`,
	appliedAt: now - index * (day / 4),
	bytes: 1024
}));

describe('the rule of retention', () => {
	const fates = fatesOf(rows, { inUse, now });
	it.each([
		[250, { isKept: true, because: 'live' }],
		[200, { isKept: true, because: 'previous' }],
		[248, { isKept: true, because: 'newest' }],
		[247, { isKept: true, because: 'limits' }],
		[51, { isKept: true, because: 'limits' }],
		[50, { isKept: false, because: 'count' }],
		[1, { isKept: false, because: 'count' }]
	])('revision %i of 250', (number, fate) => expect(fates.get(number)).toEqual(fate));

	it('age and bytes take what the count leaves, never the live and the previous one, never the newest three', () => {
		const late = fatesOf(rows, { inUse, now: now + 91 * day });
		expect([249, 248, 247, 200].map((number) => late.get(number)?.because)).toEqual([
			'newest',
			'newest',
			'age',
			'previous'
		]);
		const limits = { ...usualRetention, bytes: 10 * 1024 };
		const large = fatesOf(rows, { inUse, now, limits });
		expect([241, 240].map((number) => large.get(number))).toEqual([
			{ isKept: true, because: 'limits' },
			{ isKept: false, because: 'bytes' }
		]);
	});
});

describe('in words', () => {
	const row = { number: 7, appliedAt: now, removedAt: null, removedBecause: null };
	it.each([
		['kept by the limits', row, true, { isKept: true, because: 'limits' }, /until it is 90 days old, has 200 newer/],
		['the way back', row, true, { isKept: true, because: 'previous' }, /the way back/],
		['due', row, true, { isKept: false, because: 'age' }, /at the next apply/],
		['taken', { ...row, removedAt: now, removedBecause: 'bytes' }, false, undefined, /newer revisions took 5 GB/],
		['taken by somebody', row, false, undefined, /not the panel that took them/],
		['never live', { ...row, appliedAt: null }, false, undefined, /never went live/],
		['not ours', { ...row, number: 0, appliedAt: null }, true, undefined, /Kept for good/]
	] as const)('%s', (_, given, hasFiles, fate, text) =>
		expect(retentionInWords(given, hasFiles, fate).text).toMatch(text)
	);
});
