import { expect, it } from 'vitest';
import { hostileTexts } from '../../../../tests/support/hostile.ts';
import { plainText } from './plain-text.ts';

it.each([
	['as it is', 'as it is'],
	[' a\r\n\tb  c ', 'a b c'],
	['a\0b\u001b[31m', 'a b [31m'],
	['\u202egnp.exe\u2066', 'gnp.exe'],
	['a\ud800b', 'a b'],
	['Größe 😀', 'Größe 😀'],
	['1234567890', '1234567890'],
	['12345678901', '123456789…'],
	['12345678😀1', '12345678…'],
	[`1${' '.repeat(500)}2`, '1…']
])('%j is shown as %j', (text, shown) => {
	expect(plainText(text, 10)).toBe(shown);
});

it.each(hostileTexts)('%j moves no terminal and stays short', (text) => {
	expect(plainText(text, 40)).not.toMatch(/[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
	expect(plainText(text, 40).length).toBeLessThanOrEqual(40);
});
