import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostileTexts } from '../../../../../tests/support/hostile.ts';
import { hostile, other } from '../../../../../tests/fixtures/reports/other.ts';
import { report as reportWith } from '../../../../../tests/fixtures/reports/sample.ts';
import type { Sample } from '../../../../../tests/fixtures/reports/sample.ts';
import { standard } from '../../../../../tests/fixtures/reports/standard.ts';
import { text } from '../../../../../tests/fixtures/reports/text.ts';
import { readReport } from './read-report.ts';
import type { Report } from './report.ts';

const said = ({ kind, shape, recipients, complaint }: Report) =>
	[
		`${kind} ${shape ?? '-'}`.replace('receipt rfc8098', 'receipt rfc8098'),
		...recipients.map(({ action, address, status, code }) => `${action} ${address} ${status ?? '-'} ${code ?? '-'}`),
		...(complaint === null ? [] : [`${complaint.type} ${complaint.recipients.join() || '-'}`])
	].join(' | ');

const bytesOf = (source: string | Buffer) => (typeof source === 'string' ? Buffer.from(source) : source);
const all: Sample[] = [...standard, ...text, ...other, ...hostile];

describe.each([
	['RFC 3464', standard],
	['forms of their own', text],
	['complaints and what is neither', other],
	['hostile', hostile]
])('%s', (_, samples) => {
	it.each(samples)('$name', ({ text: source, says, holds = {} }) => {
		const report = readReport(bytesOf(source));
		expect(said(report)).toBe(says);
		expect(report).toMatchObject(holds);
	});
});

it('enough shapes are held', () => {
	expect(all.length).toBeGreaterThan(85);
	expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
});

/** No control character, line break or direction mark, and no endless text. */
function expectPlain(report: Report): void {
	for (const [, value] of entriesOf(report)) {
		expect(value).not.toMatch(/[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
		expect(value.length).toBeLessThanOrEqual(500);
	}
}

function entriesOf(value: unknown, path = ''): [string, string][] {
	if (typeof value === 'string') return [[path, value]];
	if (typeof value !== 'object' || value === null) return [];
	return Object.entries(value).flatMap(([key, each]) => entriesOf(each, `${path}.${key}`));
}

it('every answer is plain text of bounded length', () => {
	for (const { text: source } of all) expectPlain(readReport(bytesOf(source)));
	for (const each of hostileTexts) {
		expectPlain(readReport(Buffer.from(each)));
		expectPlain(readReport(Buffer.from(reportWith(`Reporting-MTA: dns; ${each}\n\nFinal-Recipient: rfc822; ${each}`))));
	}
});

const pieces = [
	'\n',
	'\r',
	'\r\n',
	'--=_b1/x',
	'--=_b1/x--',
	'Content-Type: multipart/report; boundary="=_b1/x"',
	'Content-Type: message/delivery-status',
	'Content-Type: message/rfc822',
	'Content-Transfer-Encoding: base64',
	'Content-Transfer-Encoding: quoted-printable',
	'Final-Recipient: rfc822; a@example.org',
	'Action: failed',
	'Feedback-Type: abuse',
	'From: MAILER-DAEMON@x.example',
	'Subject: =?utf-8?B?',
	'<a@example.org>: 550 5.1.1',
	'  a@example.org',
	'This message was created automatically by mail delivery software.',
	'=?utf-8?Q?=FF',
	'<style',
	'\\x{110000}',
	'"',
	'(',
	'\0',
	'\u001b[0m'
];
const anything = fc.oneof(
	fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
	fc
		.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 30 })), { maxLength: 300 })
		.map((parts) => Buffer.from(parts.join(''))),
	fc.array(fc.constantFrom(...pieces), { maxLength: 300 }).map((parts) => Buffer.from(parts.join('\n')))
);

it('never throws, whatever the bytes', () => {
	fc.assert(
		fc.property(anything, (bytes) => expectPlain(readReport(bytes))),
		{ numRuns: 1500, seed: 20260106 }
	);
});

it('a sample that is cut or damaged anywhere is read all the same', () => {
	const whole = all.map(({ text: source }) => bytesOf(source)).filter(({ length }) => length < 20_000);
	fc.assert(
		fc.property(fc.constantFrom(...whole), fc.nat(), fc.nat(), fc.nat(255), (bytes, cut, at, byte) => {
			const damaged = Buffer.from(bytes.subarray(0, cut % (bytes.length + 1)));
			if (damaged.length > 0) damaged[at % damaged.length] = byte;
			expectPlain(readReport(damaged));
		}),
		{ numRuns: 1500, seed: 7 }
	);
});

it('costs a bounded number of steps for each line, and never more than the bound', () => {
	const cost = (bytes: Buffer) => {
		const effort = { steps: 0, limit: 1_000_000 };
		readReport(bytes, effort);
		return effort.steps;
	};
	const lineCount = (bytes: Buffer) => bytes.toString('latin1').split(/\r\n|\r|\n/).length;
	fc.assert(
		fc.property(anything, (bytes) => cost(bytes) <= 30 * lineCount(bytes) + 500),
		{ numRuns: 500, seed: 3 }
	);
	for (const piece of pieces)
		for (const count of [1000, 4000, 16_000])
			expect(cost(Buffer.from(`${piece}\n`.repeat(count))), piece).toBeLessThanOrEqual(30 * count + 500);
	for (const { text: source } of hostile) expect(cost(bytesOf(source))).toBeLessThanOrEqual(1_000_200);
});
