import { expect, it } from 'vitest';
import { readAddressLines } from './address-lines.ts';

it.each([
	['a plain list', 'a@x.org\nb@x.org\n', ['1 a@x.org', '2 b@x.org']],
	['CRLF, a mark in front and empty lines', '\u{feff}a@x.org\r\n\r\nb@x.org', ['1 a@x.org', '3 b@x.org']],
	['a named column', 'name,Email,note\nAnn,a@x.org,hi\n"B, C",b@x.org,', ['2 a@x.org', '3 b@x.org']],
	['an export of this panel', "address,domain,reason\r\n'=1@x.org,example.com,manual\r\n", ['2 =1@x.org']],
	['semicolons', 'a@x.org;Ann\nb@x.org;Bob', ['1 a@x.org', '2 b@x.org']],
	['quotes', '"a@x.org","said ""no"""', ['1 a@x.org']],
	['nothing', '', []]
])('%s', (_, text, expected) => {
	expect(readAddressLines(text).map(({ line, address, error }) => `${line} ${address}${error ? ' !' : ''}`)).toEqual(
		expected
	);
});

it.each(['no address', 'a@', '@x.org', 'a@localhost', 'a b@x.org', ',a@x.org'])('%s is told with its line', (text) => {
	expect(readAddressLines(`ok@x.org\n${text}`)[1]).toMatchObject({ line: 2, error: expect.any(String) });
});
