import { describe, expect, it } from 'vitest';
import { readReport } from '../../feedback/report/read-report.ts';
import { policyWith, rows, switchedOn } from './fixture.ts';
import { logRecord } from './log-record.ts';
import type { Header } from './host.ts';
import type { LogRecord } from './log-record.ts';
import type { RevisionRows } from './revision.ts';
import type { Injected, NewMessage, Policy } from './vm.ts';

const strict = 'bounces@b.strict.example';
const desk = 'desk@bounce.example.com';
/** What `accept` notes of a sender's message. */
const sent = { tenant: 'news.example.com', x_sender: 's1', x_domain: 'example.com' };
const letter: Header[] = [
	['From', 'News <news@example.com>'],
	['Subject', 'hello'],
	['Message-ID', '<42@example.com>'],
	['Content-Type', 'text/html; charset=utf-8']
];

/** The domain takes any return path and has one account. */
const single: RevisionRows = {
	...switchedOn,
	bounce_host: { ...switchedOn.bounce_host, 'bounce.example.com': { domain: 'example.com', account: desk } }
};

function fail(policy: Policy, message: Partial<NewMessage>, record: Partial<LogRecord> = {}): Injected[] {
	const index = policy.newMessage({
		sender: strict,
		recipients: ['gone@example.net'],
		headers: letter,
		meta: sent,
		...message
	});
	const outcome = policy.call(
		'log_disposition_kumomta_ui',
		{ kind: 'message', value: index },
		{ kind: 'record', value: logRecord(record) }
	);
	expect(outcome).toEqual({ kind: 'value', value: undefined });
	return policy.takeInjected();
}

async function textOf(message: Partial<NewMessage> = {}, record: Partial<LogRecord> = {}): Promise<string> {
	const [report] = fail(await policyWith({ rows: switchedOn }), message, record);
	return report?.data.toString('utf8') ?? '';
}

describe('a failure in delivery', () => {
	const accounts: [what: string, sender: string, account: string, id: string][] = [
		['an account', strict, strict, 'mailbox000000001'],
		['an account with a tag', 'bounces+u42@b.strict.example', strict, 'mailbox000000001'],
		['an account in capitals', 'BOUNCES+U42@B.Strict.Example', strict, 'mailbox000000001'],
		['any return path of a domain with one account', 'v=17=a=example.net@bounce.example.com', desk, 'mailbox000000002'],
		['a quoted one', '"any thing"@bounce.example.com', desk, 'mailbox000000002']
	];
	it.each(accounts)('is reported to the account behind %s', async (_what, sender, account, id) => {
		const policy = await policyWith({ rows: single });
		const reports = [...fail(policy, { sender }), ...fail(policy, { sender }, { type: 'Expiration' })];
		expect(reports).toHaveLength(2);
		for (const report of reports)
			expect(report).toMatchObject({
				sender: '',
				recipients: [account],
				queue: `${id}.mailbox.internal`,
				meta: { x_mailbox: id, queue: `${id}.mailbox.internal` }
			});
		expect(policy.observed().logs).toEqual([]);
	});

	const nobody: [what: string, message: Partial<NewMessage>, record?: Partial<LogRecord>, of?: RevisionRows][] = [
		['the null sender', { sender: '' }],
		['a sender’s own address', { sender: 'news@example.com' }],
		['a stranger', { sender: 'victim@example.net' }],
		['a name below a bounce host', { sender: 'bounces@x.b.strict.example' }],
		['an address that only ends like an account', { sender: `x@${strict}` }],
		['no account', { sender: 'other@b.strict.example' }],
		['postmaster without an account', { sender: 'postmaster@b.strict.example' }],
		['the complaint address', { sender: 'fbl@b.strict.example' }],
		['any return path of a domain with several accounts', { sender: 'v=1@bounce.example.com' }],
		['mail that came from outside, with an account as MAIL FROM', { meta: { x_domain: 'strict.example' } }],
		['mail into a mailbox', { meta: { ...sent, x_mailbox: 'mailbox000000001' } }],
		['a report', { headers: [['Content-Type', 'Multipart/Report; report-type=delivery-status; boundary=x']] }],
		['a domain with the switch off', {}, {}, rows],
		...['Delivery', 'TransientFailure', 'AdminBounce', 'Rejection', 'OOB', 'Feedback', ''].map(
			(type): [string, Partial<NewMessage>, Partial<LogRecord>] => [`a record ${type}`, {}, { type }]
		)
	];
	it.each(nobody)('is reported to nobody for %s', async (_what, message, record, of = switchedOn) => {
		const policy = await policyWith({ rows: of });
		expect(fail(policy, message, record)).toEqual([]);
		expect(policy.observed().logs).toEqual([]);
	});

	it('of a report is not reported', async () => {
		const policy = await policyWith({ rows: switchedOn });
		const [report] = fail(policy, {});
		const headers: Header[] = [['Content-Type', 'multipart/report; report-type=delivery-status; boundary="x"']];
		expect(
			fail(policy, {
				sender: report?.sender ?? 'x',
				recipients: report?.recipients ?? [],
				headers,
				meta: report?.meta ?? {}
			})
		).toEqual([]);
	});

	it('never breaks off what KumoMTA does, whatever a record lacks', async () => {
		const policy = await policyWith({ rows: switchedOn });
		const index = policy.newMessage({ sender: strict, recipients: ['a@example.net'], headers: letter, meta: sent });
		for (const value of [
			{ type: 'Bounce', response: {} },
			{ type: 'Expiration', response: { code: 551 }, recipient: [] }
		])
			expect(
				policy.call('log_disposition_kumomta_ui', { kind: 'message', value: index }, { kind: 'record', value })
			).toMatchObject({ kind: 'value' });
		expect(policy.takeInjected()).toHaveLength(2);
		policy.evaluate("rawset(require 'kumo', 'inject_message', function() error('spool is full', 0) end)");
		expect(fail(policy, {})).toEqual([]);
		expect(fail(policy, {})).toEqual([]);
		expect(policy.observed().logs).toEqual(['error A failure in delivery can not be reported: spool is full']);
	});
});

describe('a report', () => {
	it('is RFC 3464, for people and for programs', async () => {
		const text = await textOf({ sender: 'Bounces+U42@b.strict.example' });
		const boundary = /boundary="(report-[0-9a-f]{32})"/.exec(text)?.[1] ?? 'none';
		const id = boundary.slice('report-'.length);
		expect(text).toBe(
			[
				'Return-Path: <>',
				'From: Mail Delivery System <MAILER-DAEMON@mx.example.com>',
				'To: <Bounces+U42@b.strict.example>',
				'Subject: Undelivered mail returned to sender',
				'Date: Fri, 15 Jan 2027 08:00:00 +0000',
				`Message-ID: <${id}@mx.example.com>`,
				'Auto-Submitted: auto-replied',
				'MIME-Version: 1.0',
				`Content-Type: multipart/report; report-type=delivery-status; boundary="${boundary}"`,
				'Content-Transfer-Encoding: 7bit',
				'',
				`--${boundary}`,
				'Content-Type: text/plain; charset=us-ascii',
				'',
				'This is the mail server mx.example.com.',
				'',
				'Your message could not be delivered to:',
				'',
				'  gone@example.net',
				'',
				'The answer was:',
				'',
				'  550 5.1.1 no such user',
				'',
				'Nothing more is tried for this message. Its headers follow.',
				'',
				`--${boundary}`,
				'Content-Type: message/delivery-status',
				'',
				'Reporting-MTA: dns; mx.example.com',
				'Arrival-Date: Fri, 15 Jan 2027 07:59:00 +0000',
				'',
				'Final-Recipient: rfc822; gone@example.net',
				'Action: failed',
				'Status: 5.1.1',
				'Remote-MTA: dns; mx1.example.net',
				'Diagnostic-Code: smtp; 550 5.1.1 no such user',
				'Last-Attempt-Date: Fri, 15 Jan 2027 08:01:00 +0000',
				'',
				'',
				`--${boundary}`,
				'Content-Type: text/rfc822-headers',
				'',
				'From: News <news@example.com>',
				'Subject: hello',
				'Message-ID: <42@example.com>',
				'Content-Type: text/html; charset=utf-8',
				'',
				`--${boundary}--`,
				''
			].join('\r\n')
		);
	});

	it('is read by the panel’s own reader', async () => {
		const record = { recipient: ['gone@example.net', 'b@example.net'] };
		const text = await textOf({ headers: [...letter, ['X-Campaign', 'Grüße']] }, record);
		const at = Date.UTC(2027, 0, 15, 8, 1);
		const failed = {
			action: 'failed',
			status: '5.1.1',
			code: 550,
			diagnostic: expect.stringContaining('no such user'),
			remote: 'mx1.example.net',
			at
		};
		const report = readReport(Buffer.from(text));
		expect(report).toMatchObject({
			kind: 'delivery',
			shape: 'rfc3464',
			to: strict,
			reporter: 'mx.example.com',
			original: { messageId: '<42@example.com>', subject: 'hello' },
			isCut: false
		});
		expect(report.recipients).toMatchObject([
			{ ...failed, address: 'gone@example.net' },
			{ ...failed, address: 'b@example.net' }
		]);
	});

	it('of an expiry says so and has no remote server', async () => {
		const text = await textOf(
			{},
			{
				type: 'Expiration',
				peer_address: undefined,
				response: { code: 551, enhanced_code: { class: 5, subject: 4, detail: 7 }, content: 'expired' }
			}
		);
		expect(text).toContain('It waited for too long. The last answer was:\r\n\r\n  551 5.4.7 expired\r\n');
		expect(text).toContain('Status: 5.4.7\r\nDiagnostic-Code: smtp; 551 5.4.7 expired\r\n');
		expect(text).not.toContain('Remote-MTA');
	});

	it.each([
		[{ code: 550, content: 'x' }, '5.0.0'],
		[{ code: 550, content: 'x', enhanced_code: { class: 2, subject: 0, detail: 0 } }, '5.0.0'],
		[{ code: 550, content: 'x', enhanced_code: { class: 5, subject: 1000, detail: 0 } }, '5.0.0'],
		[{ code: 450, content: 'x', enhanced_code: { class: 4, subject: 2, detail: 2 } }, '4.2.2']
	])('of %j has the status %s', async (response, status) => {
		expect(await textOf({}, { response })).toContain(`\r\nStatus: ${status}\r\n`);
	});

	it('names a recipient with other letters as RFC 6533 writes it', async () => {
		expect(await textOf({}, { recipient: 'grüße@xn--bcher-kva.example' })).toContain(
			'\r\nFinal-Recipient: utf-8; gr\\x{FC}\\x{DF}e@xn--bcher-kva.example\r\n'
		);
	});

	it('is named by the bounce host where the server has no name', async () => {
		const policy = await policyWith({ rows: switchedOn, node: { hostname: '' } });
		expect(fail(policy, {})[0]?.data.toString()).toContain(
			'From: Mail Delivery System <MAILER-DAEMON@b.strict.example>'
		);
	});
});

describe('hostile text in a report', () => {
	const injection = 'x\r\nBcc: victim@example.net\r\n\r\n--report-\r\n';
	const encoded = `=?utf-8?B?${Buffer.from(injection).toString('base64')}?=`;

	it.each([
		['a header', { headers: [['Subject', encoded] as Header, ['X-A', injection] as Header] }, {}],
		['a diagnostic', {}, { response: { code: 550, content: injection } }],
		['a server’s name', {}, { peer_address: { name: injection, addr: '' } }],
		['a recipient', {}, { recipient: `${injection}@example.net` }],
		['a return path', { sender: 'bounces+x\r\nBcc: victim\r\n\r\n--report-@b.strict.example' }, {}]
	])('in %s adds no line', async (_what, message, record) => {
		const text = await textOf(message, record);
		expect(text).not.toBe('');
		expect(text).not.toMatch(/^Bcc:/m);
		expect(text.match(/^--report-/gm)).toHaveLength(4);
	});

	it('keeps letters, and marks bytes that are none', async () => {
		const text = await textOf({
			headers: [
				['Subject', 'Grüße 👋'],
				['=bad name', 'x'],
				['X-\u00e9', 'x']
			]
		});
		expect(text).toContain(
			'Content-Type: text/rfc822-headers; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: Grüße 👋\r\n'
		);
		expect(text).toContain('MIME-Version: 1.0\r\nContent-Type: multipart/report');
		expect(text.split('\r\n\r\n')[0]).toContain('Content-Transfer-Encoding: 8bit');
		expect(text).not.toContain('bad name');
		expect(text).not.toContain('X-é');
	});

	it.each([
		['words', 'wörter '.repeat(1000)],
		['one word', 'ü'.repeat(4000)],
		['one word after another', `${'a '.repeat(20)}${'b'.repeat(2000)}`]
	])('has no line of more than 998 octets: %s', async (_what, value) => {
		const text = await textOf(
			{
				headers: [
					['X-Long', value],
					['X-Next', 'here']
				]
			},
			{ response: { code: 550, content: value } }
		);
		for (const line of text.split('\r\n')) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(998);
		expect(text).not.toContain('\uFFFD');
		expect(text).not.toMatch(/^[ \t]+$/m);
		expect(text).toContain('\r\nX-Next: here\r\n');
	});

	it('is bounded, however many headers and recipients there are', async () => {
		const headers = Array.from({ length: 2000 }, (_, index): Header => [`X-${index}`, 'v'.repeat(90)]);
		const recipient = Array.from({ length: 1000 }, (_, index) => `a${index}@example.net`);
		const response = { code: 550, content: 'long '.repeat(10_000) };
		const text = await textOf({ headers }, { recipient, response });
		expect(Buffer.byteLength(text)).toBeLessThan(250_000);
		expect(text).toContain('X-0: vvv');
		expect(text).not.toContain('X-1999:');
		expect(text).not.toContain('a100@example.net');
	});
});
