import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diffLines } from './line-diff.ts';

const marks = { same: ' ', removed: '-', added: '+', gap: '@' };
const shown = (was: string, now: string) => diffLines(was, now).lines.map(({ kind, text }) => marks[kind] + text);
const numbered = (count: number) => Array.from({ length: count }, (_, index) => `line ${index + 1}`);
const text = (lines: string[]) => lines.map((line) => `${line}\n`).join('');

describe('the difference of two texts', () => {
	const cases: [what: string, was: string, now: string, lines: string[]][] = [
		['nothing', '', '', []],
		['equal', 'a\nb\n', 'a\nb\n', []],
		['all new', '', 'a\nb\n', ['+a', '+b']],
		['all gone', 'a\nb\n', '', ['-a', '-b']],
		['one line replaced', 'a\nb\nc\n', 'a\nx\nc\n', [' a', '-b', '+x', ' c']],
		['one put in between', 'a\nc\n', 'a\nb\nc\n', [' a', '+b', ' c']],
		['the end without a line feed', 'a\n', 'a', ['-a', '+a (no line feed at the end)']],
		['an empty line', 'a\n\nb\n', 'a\nb\n', [' a', '-', ' b']]
	];

	it.each(cases)('%s', (_, was, now, lines) => {
		expect(shown(was, now)).toEqual(lines);
	});

	it('shows three lines around each, and a gap between them', () => {
		const now = numbered(30);
		now[4] = 'five';
		now[24] = 'twenty-five';
		const { lines } = diffLines(text(numbered(30)), text(now));
		expect(lines.filter(({ kind }) => kind === 'gap')).toHaveLength(1);
		expect(lines[0]).toEqual({ kind: 'same', was: 2, now: 2, text: 'line 2' });
		expect(lines.at(-1)).toEqual({ kind: 'same', was: 28, now: 28, text: 'line 28' });
	});

	it('gives up aligning what differs too much, and still tells both sides', () => {
		const [was, now] = [numbered(5000).map((line) => `a ${line}`), numbered(5000).map((line) => `b ${line}`)];
		const { isExact, added, removed } = diffLines(text(['same', ...was]), text(['same', ...now]));
		expect({ isExact, added, removed }).toEqual({ isExact: false, added: 5000, removed: 5000 });
	});

	it('holds both texts, whatever they are', () => {
		const lines = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 12 });
		fc.assert(
			fc.property(lines, lines, (was, now) => {
				const diff = diffLines(text(was), text(now));
				const at = (side: 'was' | 'now', other: 'added' | 'removed') =>
					diff.lines.filter(({ kind }) => kind !== other && kind !== 'gap').map((line) => [line[side], line.text]);
				for (const [number, line] of at('was', 'added')) expect(was[Number(number) - 1]).toBe(line);
				for (const [number, line] of at('now', 'removed')) expect(now[Number(number) - 1]).toBe(line);
				expect(now.length - was.length).toBe(diff.added - diff.removed);
				if (JSON.stringify(was) === JSON.stringify(now)) expect(diff.lines).toEqual([]);
			}),
			{ numRuns: 500 }
		);
	});
});
