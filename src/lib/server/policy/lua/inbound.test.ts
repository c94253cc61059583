import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answer, from, inbound, policyWith } from './fixture.ts';
import type { Header } from './host.ts';

const dsn: Header[] = from('MAILER-DAEMON@example.net', [
	'Content-Type',
	'multipart/report; report-type=delivery-status; boundary=x'
]);
const complaint: Header[] = from('fbl@example.net', [
	'Content-Type',
	'multipart/report; report-type="feedback-report"; boundary=x'
]);
const letter = from('someone@example.net', ['Content-Type', 'text/plain']);
const onlyReports = '550 5.1.1 this address takes only delivery and complaint reports';

const notRelayed = '550 5.7.1 relaying not permitted for 203.0.113.5:40000';

describe('RCPT at a bounce host', () => {
	const cases: [recipient: string, expected: string][] = [
		['bounces@b.strict.example', '250 OK'],
		['bounces+1234@b.strict.example', '250 OK'],
		['BOUNCES+1234@B.Strict.Example', '250 OK'],
		['postmaster@b.strict.example', '250 OK'],
		['Abuse@b.strict.example', '250 OK'],
		['fbl@b.strict.example', '250 OK'],
		['other@b.strict.example', '550 5.1.1 no such mailbox'],
		['other+bounces@b.strict.example', '550 5.1.1 no such mailbox'],
		['@b.strict.example', '550 5.1.1 no such mailbox'],
		['../../etc/passwd@b.strict.example', '550 5.1.1 no such mailbox'],
		['anything@bounce.example.com', '250 OK'],
		['"any thing"@bounce.example.com', '250 OK'],
		['news@example.com', notRelayed],
		['a@sub.bounce.example.com', notRelayed],
		['a@bounce.example.com.', notRelayed],
		['postmaster', notRelayed]
	];
	it.each(cases)('%s: %s', async (recipient, expected) => {
		const session = inbound(await policyWith());
		expect(answer(session.mailFrom(''))).toBe('250 OK');
		expect(answer(session.rcptTo(recipient))).toBe(expected);
	});

	it('takes mail from any sender too, also one that looks like ours', async () => {
		const session = inbound(await policyWith());
		expect(session.mailFrom('news@example.com').code).toBe(250);
		expect(session.rcptTo('bounces@b.strict.example').code).toBe(250);
		expect(session.rcptTo('victim@example.net').code).toBe(550);
	});
});

describe('a message at a bounce host', () => {
	const cases: [what: string, recipient: string, headers: Header[], expected: string][] = [
		['a bounce to an account', 'bounces@b.strict.example', dsn, 'mailbox000000001.mailbox.internal'],
		['a bounce to an account with a tag', 'bounces+9@b.strict.example', dsn, 'mailbox000000001.mailbox.internal'],
		['a letter to an account', 'DESK@Bounce.Example.COM', letter, 'mailbox000000002.mailbox.internal'],
		['a bounce without an account', 'v=17@bounce.example.com', dsn, 'null'],
		['a complaint without an account', 'fbl@b.strict.example', complaint, 'null'],
		['a report to postmaster', 'postmaster@b.strict.example', dsn, 'null'],
		['a letter without an account', 'v=17@bounce.example.com', letter, onlyReports],
		['a letter to postmaster', 'postmaster@b.strict.example', letter, onlyReports],
		['a message without headers', 'v=17@bounce.example.com', [], onlyReports]
	];
	it.each(cases)('%s', async (_what, recipient, headers, expected) => {
		const session = inbound(await policyWith());
		session.mailFrom('');
		expect(session.rcptTo(recipient).code).toBe(250);
		const reply = session.data(headers);
		expect(reply.error).toBeUndefined();
		expect(reply.code === 250 ? reply.messages[0]?.queue : answer(reply)).toBe(expected);
		expect(reply.messages.every(({ signatures }) => signatures.length === 0)).toBe(true);
	});

	it('goes to a constant path: only the account’s id varies', async () => {
		const policy = await policyWith();
		const session = inbound(policy);
		session.mailFrom('');
		session.rcptTo('bounces+{{meta.tenant}}@b.strict.example');
		const { messages } = session.data(letter);
		expect(messages[0]).toMatchObject({
			queue: 'mailbox000000001.mailbox.internal',
			meta: { x_mailbox: 'mailbox000000001', x_domain: 'strict.example' }
		});
		expect(policy.call('get_queue_config', { kind: 'text', value: 'mailbox000000001.mailbox.internal' })).toMatchObject(
			{
				value: {
					protocol: { maildir_path: '/var/mail/kumomta/{{ meta.x_mailbox }}', dir_mode: 0o2771, file_mode: 0o660 }
				}
			}
		);
	});

	it('is what no text of a recipient changes', async () => {
		const policy = await policyWith();
		const parts = [
			'bounces',
			'desk',
			'+',
			'/',
			'..',
			'{{ meta.x_mailbox }}',
			'%s',
			"' OR 1=1 --",
			'ü',
			'.',
			'\u0001',
			'@'
		];
		const local = fc.array(fc.oneof(fc.constantFrom(...parts), fc.string({ maxLength: 8 })), { maxLength: 6 });
		const host = fc.constantFrom('b.strict.example', 'bounce.example.com', 'B.Strict.Example', 'other.example');
		fc.assert(
			fc.property(local, host, (pieces, domain) => {
				const session = inbound(policy);
				session.mailFrom('');
				const reply = session.rcptTo(`${pieces.join('')}@${domain}`);
				expect([250, 550]).toContain(reply.code);
				if (reply.code !== 250) return;
				const data = session.data(dsn);
				expect(data.code).toBe(250);
				for (const { queue, meta } of data.messages) {
					expect(['null', 'mailbox000000001.mailbox.internal', 'mailbox000000002.mailbox.internal']).toContain(queue);
					expect(queue === 'null' ? undefined : `${String(meta.x_mailbox)}.mailbox.internal`).toBe(
						queue === 'null' ? meta.x_mailbox : queue
					);
				}
			}),
			{ numRuns: 200 }
		);
	});

	it('refuses the whole transaction when one recipient takes only reports', async () => {
		const session = inbound(await policyWith());
		session.mailFrom('');
		session.rcptTo('bounces@b.strict.example');
		session.rcptTo('postmaster@b.strict.example');
		expect(session.data(letter)).toMatchObject({ code: 550, messages: [] });
	});
});

describe('get_listener_domain on inbound', () => {
	it.each([
		['bounce.example.com', true],
		['BOUNCE.example.COM', true],
		['example.com', false],
		['', false],
		["' OR 1=1 --", false]
	])('%j', async (name, isOurs) => {
		const policy = await policyWith();
		const connection = policy.newConnection({ x_purpose: 'inbound', received_from: '203.0.113.5:1' });
		const outcome = policy.call(
			'get_listener_domain',
			{ kind: 'text', value: name },
			{ kind: 'text', value: '0.0.0.0:25' },
			{ kind: 'connection', value: connection }
		);
		expect(outcome).toEqual({
			kind: 'value',
			value: isOurs ? { relay_to: true, log_oob: 'LogThenRelay', log_arf: 'LogThenRelay' } : undefined
		});
	});
});
