import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { txtParts, zoneFile, zoneLine } from './zone.ts';

/** Reads the strings of a TXT line as a name server does (RFC 1035 5.1); throws on anything outside quotes. */
function readTxt(line: string): string {
	const [, data = ''] = /^\S+ \d+ IN TXT (.*)$/.exec(line) ?? [];
	const bytes: number[] = [];
	let rest = data;
	while (rest !== '') {
		const [whole, inside = ''] = /^"((?:[^"\\]|\\\d{3}|\\[^\d])*)"(?: |$)/.exec(rest) ?? [];
		if (whole === undefined) throw new Error(`No quoted string at: ${rest}`);
		const before = bytes.length;
		for (const [, decimal, escaped, plain] of inside.matchAll(/\\(\d{3})|\\(.)|(.)/g)) {
			bytes.push(decimal === undefined ? (escaped ?? plain ?? '').charCodeAt(0) : Number(decimal));
		}
		if (bytes.length - before > 255) throw new Error('A string of more than 255 bytes.');
		rest = rest.slice(whole.length);
	}
	return Buffer.from(bytes).toString();
}

const txt = (value: string) => zoneLine({ name: 'a.example', type: 'TXT', value, ttl: 3600 });

describe('zoneLine', () => {
	it.each([
		[txt('v=spf1 -all'), 'a.example. 3600 IN TXT "v=spf1 -all"'],
		[txt(''), 'a.example. 3600 IN TXT ""'],
		[txt('a"b\\c;d'), 'a.example. 3600 IN TXT "a\\"b\\\\c;d"'],
		[txt('a\nb\0'), 'a.example. 3600 IN TXT "a\\010b\\000"'],
		[txt('é'), 'a.example. 3600 IN TXT "\\195\\169"'],
		[
			zoneLine({ name: 'bounce.a.example', type: 'MX', value: '10 mta1.example.net.', ttl: 60 }),
			'bounce.a.example. 60 IN MX 10 mta1.example.net.'
		],
		[zoneLine({ name: 'a.example', type: 'A', value: '192.0.2.1', ttl: 60 }), 'a.example. 60 IN A 192.0.2.1'],
		[
			zoneLine({ name: 'a"\n$INCLUDE x', type: 'A', value: '1;\n2', ttl: 60 }),
			'a\\034\\010\\036INCLUDE x. 60 IN A 1\\059\\0102'
		]
	])('%s', (line, expected) => expect(line).toBe(expected));

	it('can be read back as the value, whatever it holds', () => {
		fc.assert(
			fc.property(fc.string({ unit: 'grapheme', maxLength: 900 }), (value) => {
				const line = txt(value);
				expect(line).toMatch(/^[\x20-\x7e]*$/);
				expect(readTxt(line)).toBe(value);
			})
		);
	});
});

it('cuts a TXT value into pieces of at most 255 bytes that make the whole again, never inside a character', () => {
	expect(txtParts('x'.repeat(256)).map(({ length }) => length)).toEqual([255, 1]);
	expect(txtParts('')).toEqual(['']);
	fc.assert(
		fc.property(fc.string({ unit: 'grapheme', maxLength: 600 }), (value) => {
			const parts = txtParts(value);
			expect(parts.join('')).toBe(value);
			for (const part of parts) expect(Buffer.byteLength(part)).toBeLessThanOrEqual(255);
		})
	);
});

describe('zoneFile', () => {
	const record = (name: string, purpose: string) => {
		const base = { name, type: 'A' as const, value: '192.0.2.1', ttl: 60 };
		return { ...base, purpose, zone: zoneLine(base) };
	};

	it('turns what belongs to other zones into comments', () => {
		const text = zoneFile('a.example', [
			record('b.a.example', 'in'),
			record('ba.example', 'out'),
			record('a.example', 'in')
		]);
		const active = text.split('\n').filter((line) => line !== '' && !line.startsWith(';'));
		expect(active).toEqual(['b.a.example. 60 IN A 192.0.2.1', 'a.example. 60 IN A 192.0.2.1']);
		expect(text).toContain('; ba.example. 60 IN A 192.0.2.1');
	});

	it('keeps a purpose on its line and in ASCII', () => {
		const text = zoneFile('a.example', [record('a.example', 'x\nevil 60 IN A 6.6.6.6 \u202e é')]);
		expect(text).toContain('; x\\u{a}evil 60 IN A 6.6.6.6 \\u{202e} \\u{e9}');
		expect(text).toMatch(/^[\n\x20-\x7e]*$/);
	});
});
