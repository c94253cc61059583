import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readCsv } from './csv.ts';

const read = (text: string) => [...readCsv(text)];

it.each([
	['nothing', '', []],
	['a last line without an end', 'a,b', [{ line: 1, fields: ['a', 'b'] }]],
	[
		'LF and CRLF',
		'a\r\nb\nc\r\n',
		[
			{ line: 1, fields: ['a'] },
			{ line: 2, fields: ['b'] },
			{ line: 3, fields: ['c'] }
		]
	],
	['a byte-order mark', '\u{feff}a,b\n', [{ line: 1, fields: ['a', 'b'] }]],
	['empty lines', '\n\r\na\n\n', [{ line: 3, fields: ['a'] }]],
	['empty fields', ',,\n', [{ line: 1, fields: ['', '', ''] }]],
	['commas and doubled quotes in quotes', '"a,""b""",c\n', [{ line: 1, fields: ['a,"b"', 'c'] }]],
	['an empty quoted field', '"",x\r\n', [{ line: 1, fields: ['', 'x'] }]],
	[
		'line breaks in quotes, counted',
		'"a\r\nb\n",c\r\nd\n',
		[
			{ line: 1, fields: ['a\r\nb\n', 'c'] },
			{ line: 4, fields: ['d'] }
		]
	],
	[
		'a quoted field after a plain one',
		'a,"b"\r\nc',
		[
			{ line: 1, fields: ['a', 'b'] },
			{ line: 2, fields: ['c'] }
		]
	],
	[
		'a plain field after a quoted one',
		'"a",b\r\nc',
		[
			{ line: 1, fields: ['a', 'b'] },
			{ line: 2, fields: ['c'] }
		]
	]
])('reads %s', (_, text, records) => {
	expect(read(text)).toEqual(records);
});

it.each([
	['a quote inside a field', 'x\na"b,c\nd\n', 2, 3],
	['text after a closing quote', 'x\n"a"b,c\nd\n', 2, 3],
	['a quote never closed', 'x\n"a,b\nd\n', 2, 3],
	['a quote inside a field after a quoted field with line breaks', '"a\nb",c"d\ne\n', 1, 3]
])('answers %s as a problem and reads on', (_, text, line, next) => {
	const records = read(text);
	expect(records.find((record) => record.line === line)).toEqual({ line, fields: [], problem: expect.any(String) });
	expect(records.find((record) => record.line === next)?.fields).toHaveLength(1);
});

describe('any text', () => {
	it('comes back from what a writer of RFC 4180 makes of it', () => {
		const cell = fc.string({ unit: fc.constantFrom('a', ',', '"', '\r\n', '\n', ' ', 'é', '\0', '=') });
		const records = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 5 });
		const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
		fc.assert(
			fc.property(records, fc.constantFrom('\n', '\r\n'), (rows, end) => {
				const text = rows.map((row) => row.map(quoted).join(',') + end).join('');
				expect(read(text).map(({ fields }) => fields)).toEqual(rows);
			})
		);
	});

	it('ends, loses no line number and never throws', () => {
		const soup = fc.string({ unit: fc.constantFrom('a', ',', '"', '\r', '\n'), maxLength: 60 });
		fc.assert(
			fc.property(soup, (text) => {
				const lines = read(text).map(({ line }) => line);
				expect(lines).toEqual([...new Set(lines)].sort((a, b) => a - b));
				expect(Math.max(0, ...lines)).toBeLessThanOrEqual(text.split('\n').length);
			})
		);
	});
});
