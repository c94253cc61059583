import { describe, expect, it } from 'vitest';
import { partsOf } from './csv-parts';

const bytes = (text: string) => new TextEncoder().encode(JSON.stringify(text)).length - 2;

describe('partsOf', () => {
	it.each([
		['nothing', '', 10, []],
		['one line', 'a,b\n', 10, ['a,b\n']],
		['lines that fit together', 'a\nb\nc', 10, ['a\nb\nc']],
		['a cut at a line end', 'aaaa\nbbbb\n', 8, ['aaaa\n', 'bbbb\n']],
		['a line that is too long', 'aaaaaaaaaa\nb', 6, ['aaaaaa', 'aaaa\nb'.slice(0, 5), 'b']],
		['characters of four bytes', '😀😀😀', 9, ['😀😀', '😀']]
	])('%s', (_, text, limit, expected) => {
		expect(partsOf(text, limit)).toEqual(expected);
	});

	it('loses nothing and keeps every part within the limit, quotes and line ends counted twice', () => {
		const text = Array.from({ length: 5000 }, (_, index) => `"bücher-${index}.example","news"\r\n`).join('');
		const parts = partsOf(text, 10_000);
		expect(parts.join('')).toBe(text);
		expect(Math.max(...parts.map(bytes))).toBeLessThanOrEqual(10_000);
		expect(parts.every((part) => part.endsWith('\n') && part.isWellFormed())).toBe(true);
	});
});
