import { describe, expect, it } from 'vitest';
import { createLineSplitter } from './lines.ts';

function split(text: string, step: number) {
	const splitter = createLineSplitter();
	const bytes = Buffer.from(text);
	const lines = [];
	for (let at = 0; at < bytes.length; at += step) lines.push(...splitter.push(bytes.subarray(at, at + step)));
	return { lines, rest: splitter.rest() };
}

describe.each([1, 2, 7, 1000])('in pieces of %i bytes', (step) => {
	it.each([
		['', [], ''],
		['a', [], 'a'],
		['a\n', ['a'], ''],
		['a\nbc\n\nd', ['a', 'bc', ''], 'd'],
		['é😀\nü', ['é😀'], 'ü']
	])('%j', (text, lines, rest) => {
		expect(split(text, step)).toEqual({ lines, rest });
	});
});

const big = 400_000;

it.each([1, 4096, 65_536])('a long line keeps everything but what is long, in pieces of %i bytes', (step) => {
	const record = {
		type: 'Feedback',
		text: `${'x'.repeat(65_530)}\\u00e9${'"\\'.repeat(big)}`,
		bytes: Array.from({ length: big }, (_, at) => at % 256),
		last: ['end', 1, 2]
	};
	const { lines } = split(`${JSON.stringify(record)}\nnext\n`, step);
	expect(lines).toHaveLength(2);
	const kept = JSON.parse(lines[0]!);
	expect(kept).toMatchObject({ type: 'Feedback', last: ['end', 1, 2] });
	expect(record.text.startsWith(kept.text)).toBe(true);
	expect(kept.text.length).toBeGreaterThan(60_000);
	expect(record.bytes.slice(0, kept.bytes.length)).toEqual(kept.bytes);
	expect(kept.bytes.length).toBeGreaterThan(15_000);
	expect(lines[0]!.length).toBeLessThan(200_000);
	expect(lines[1]).toBe('next');
});

it('a line that stays over-long is told apart from an empty one', () => {
	const many = JSON.stringify(Array.from({ length: 300_000 }, () => 'text'));
	expect(split(`${many}\nnext\n`, 65_536)).toEqual({ lines: [undefined, 'next'], rest: '' });
});
