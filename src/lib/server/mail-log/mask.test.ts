import { expect, it } from 'vitest';
import { maskCommand, maskText } from './mask.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const plain = base64('\0news@example.com\0correct horse');
const unpadded = plain.replaceAll('=', '');

it.each([
	['MAIL FROM:<a@example.com>', 'MAIL FROM:<a@example.com>'],
	['rcpt TO:<b@example.com>', 'rcpt TO:<b@example.com>'],
	['.', '.'],
	['DATA', 'DATA'],
	[`AUTH PLAIN ${plain}`, 'AUTH PLAIN'],
	[`auth plain ${plain}`, 'AUTH plain'],
	[`AUTH\tLOGIN ${base64('news')}`, 'AUTH LOGIN'],
	[`AUTH ${plain}`, 'AUTH'],
	['AUTH', 'AUTH'],
	['AUTH PLAIN=', 'AUTH'],
	[plain, '[hidden]'],
	[base64('abc'), '[hidden]'],
	['*', '[hidden]'],
	['correct horse', '[hidden]'],
	['PASS correct', '[hidden]'],
	['', '[hidden]'],
	[`NOOP AUTH PLAIN ${plain}`, 'NOOP AUTH PLAIN [hidden]']
])('the command %j is kept as %j', (command, kept) => {
	expect(maskCommand(command)).toBe(kept);
});

it.each([
	['550 5.1.1 user unknown', '550 5.1.1 user unknown'],
	[`501 syntax error in "AUTH PLAIN ${plain}"`, '501 syntax error in "AUTH PLAIN [hidden]"'],
	[`unrecognised command '${base64('correct horse1')}'`, "unrecognised command '[hidden]'"],
	[`bad: ${unpadded}`, 'bad: [hidden]'],
	[`bad: ${base64('user=a@b\x01auth=Bearer t\x01\x01').replaceAll('=', '')}`, 'bad: [hidden]'],
	['AUTH=LOGIN dXNlcg', 'AUTH LOGIN [hidden]'],
	['queue 4XyZ12abcdEFGH34 of mx-1.example.com', 'queue 4XyZ12abcdEFGH34 of mx-1.example.com'],
	['bounces+ann=example.org@bounce.example.com', 'bounces+ann=example.org@bounce.example.com']
])('in %j is kept %j', (text, kept) => {
	expect(maskText(text)).toBe(kept);
});

it('takes its time from the length alone', { timeout: 2000 }, () => {
	for (const text of ['AUTH '.repeat(20_000), 'A'.repeat(100_000), 'AUTH PLAIN '.repeat(10_000)])
		expect(maskText(text).length).toBeLessThanOrEqual(2 * text.length);
});
