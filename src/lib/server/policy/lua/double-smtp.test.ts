import { describe, expect, it } from 'vitest';
import { answer, from, policyWith, relay, stranger, submission } from './fixture.ts';
import { inject } from './injection.ts';
import { openSession } from './session.ts';
import { queueNameOf } from './transaction.ts';
import type { Policy } from './vm.ts';

/** A policy of one event, so that what is seen is the double's doing. */
async function only(event: string, body: string): Promise<Policy> {
	const policy = await policyWith();
	policy.evaluate(`DOUBLE.events = {} HANDLER = function(...) ${body} end`);
	policy.evaluate(`DOUBLE.on('${event}', function(...) return HANDLER(...) end)`);
	return policy;
}

const reject = "require('kumo').reject(550, '5.7.1 no')";
const difficulties = '421 4.3.0 mx.example.com technical difficulties';

describe('KumoMTA’s SMTP server', () => {
	it.each([
		['smtp_server_mail_from', reject, '550 5.7.1 no', true],
		['smtp_server_mail_from', "require('kumo').reject(421, '4.7.0 go')", '421 4.7.0 go', false],
		['smtp_server_mail_from', "require('kumo').disconnect(550, '5.7.1 go')", '550 5.7.1 go', false],
		['smtp_server_mail_from', "error('oops')", difficulties, false],
		['smtp_server_mail_from', 'local nothing = nil; nothing.x = 1', difficulties, false]
	])('%s with %s: %s', async (event, body, expected, isOpen) => {
		const session = openSession(await only(event, body), { listener: 'inbound', peer: stranger });
		expect(answer(session.mailFrom('a@b.example'))).toBe(expected);
		expect(session.isOpen()).toBe(isOpen);
	});

	it.each([reject, "error('oops')", 'return nil', "return 'yes'"])(
		'knows no answer of get_listener_domain but a domain or none: %s is no rejection',
		async (body) => {
			const policy = await only('get_listener_domain', body);
			const session = openSession(policy, { listener: 'inbound', peer: stranger });
			expect(session.mailFrom('a@b.example').code).toBe(250);
			expect(answer(session.rcptTo('c@d.example'))).toBe(difficulties);
			expect(session.isOpen()).toBe(false);
		}
	);

	it('asks for a domain once per connection, in the client’s letters, and forgets those beyond seventeen', async () => {
		const policy = await only('get_listener_domain', "ASKED = (ASKED or '') .. ' ' .. select(1, ...) return");
		const session = openSession(policy, { listener: 'inbound', peer: stranger });
		session.mailFrom('');
		for (const recipient of ['x@a.example', 'y@a.example', 'x@A.example', 'postmaster']) session.rcptTo(recipient);
		expect(policy.evaluate('return ASKED')).toBe('  a.example A.example');
		for (let count = 0; count < 20; count++) session.rcptTo(`x@d${count}.example`);
		policy.evaluate("ASKED = ''");
		session.rcptTo('x@d19.example');
		session.rcptTo('x@a.example');
		expect(policy.evaluate('return ASKED')).toMatch(/ a\.example$/);
	});

	it('does not ask again after AUTH', async () => {
		const policy = await policyWith();
		policy.evaluate('DOUBLE.events.smtp_server_mail_from = nil; DOUBLE.events.smtp_server_rcpt_to = nil');
		const session = submission(policy);
		session.mailFrom('news@example.com');
		expect(session.rcptTo('a@example.net').code).toBe(550);
		session.reset();
		expect(session.auth('news@example.com', 'xkQ2v8mN4pLr7sTw9yBz3cFh6jKd5gAe').code).toBe(235);
		session.mailFrom('news@example.com');
		expect(session.rcptTo('a@example.net').code).toBe(550);
	});

	it.each([
		['return true', { authz_id: 'z', authn_id: 'c' }],
		["return { identities = { { identity = 'x', context = 'LocalSystem' } } }", { authz_id: 'x', authn_id: 'x' }],
		[
			"return { identities = { { identity = 'x', context = 'SmtpAuthPlainAuthentication' } } }",
			{ authz_id: 'x', authn_id: 'x' }
		],
		[
			"return { identities = { { identity = 't', context = 'SmtpAuthPlainAuthorization' }, { identity = 'x', context = 'SmtpAuthPlainAuthentication' } } }",
			{ authz_id: 't', authn_id: 'x' }
		]
	])('takes of AUTH %s', async (body, expected) => {
		const session = openSession(await only('smtp_server_auth_plain', body), { listener: 'inbound', peer: stranger });
		expect(session.auth('c', 'p', 'z').code).toBe(235);
		expect(session.meta()).toMatchObject(expected);
	});

	it.each(['return { identities = {} }', 'return {}', "error('x')"])('fails on AUTH that answers %s', async (body) => {
		const session = openSession(await only('smtp_server_auth_plain', body), { listener: 'inbound', peer: stranger });
		expect(answer(session.auth('c', 'p'))).toBe(difficulties);
	});

	it('without a handler lets nobody in', async () => {
		const session = openSession(await only('smtp_server_ehlo', 'return'), { listener: 'inbound', peer: stranger });
		expect(session.auth('c', 'p').code).toBe(535);
	});

	it('holds to the order of commands', async () => {
		const session = relay(await policyWith());
		expect(session.rcptTo('a@example.net').code).toBe(503);
		expect(session.data([]).text).toBe('5.5.0 MAIL FROM must be issued first');
		session.mailFrom('news@example.com');
		expect(session.mailFrom('news@example.com').code).toBe(503);
		expect(session.data([]).text).toBe('5.5.0 RCPT TO must be issued first');
	});

	it('asks again at DATA whether it may relay what is not thrown away', async () => {
		const policy = await only('smtp_server_message_received', "select(1, ...):set_meta('queue', 'null')");
		policy.evaluate(
			"GRANT = 0; DOUBLE.on('get_listener_domain', function() GRANT = GRANT + 1 if GRANT < 3 then return require('kumo').make_listener_domain { relay_to = true } end end)"
		);
		const session = openSession(policy, { listener: 'inbound', peer: stranger });
		const send = (recipients: string[]) => {
			session.mailFrom('');
			for (const recipient of recipients) session.rcptTo(recipient);
			return session.data([]);
		};
		expect(send(['a@b.example']).messages.map(({ queue }) => queue)).toEqual(['null']);
		policy.evaluate('HANDLER = function() end; GRANT = 0');
		const fresh = openSession(policy, { listener: 'inbound', peer: stranger });
		fresh.mailFrom('');
		// The first seventeen answers are forgotten by the time of DATA.
		expect(fresh.rcptTo('a@b.example').code).toBe(250);
		for (let count = 0; count < 20; count++) fresh.rcptTo(`a@c${count}.example`);
		expect(answer(fresh.data([]))).toBe('550 5.7.1 relaying not permitted');
	});

	it('refuses the whole transaction when one message of it is refused', async () => {
		const policy = await only(
			'smtp_server_message_received',
			`if select(1, ...):recipient().email == 'b@x.example' then ${reject} end`
		);
		policy.evaluate(
			"DOUBLE.on('get_listener_domain', function() return require('kumo').make_listener_domain { relay_to = true } end)"
		);
		const session = openSession(policy, { listener: 'inbound', peer: stranger });
		session.mailFrom('');
		for (const recipient of ['a@x.example', 'b@x.example']) session.rcptTo(recipient);
		expect(session.data([])).toEqual({ code: 550, text: '5.7.1 no', messages: [] });
	});
});

describe('names of queues', () => {
	it.each([
		[{}, 'a@B.Example', 'b.example'],
		[{ tenant: 't' }, 'a@b.example', 't@b.example'],
		[{ tenant: 't', campaign: 'c' }, 'a@b.example', 'c:t@b.example'],
		[{ campaign: 'c' }, 'a@b.example', 'c:@b.example'],
		[{ tenant: 't', routing_domain: 'r.example' }, 'a@b.example', 't@b.example!r.example'],
		[{ tenant: 't', queue: 'null' }, 'a@b.example', 'null']
	])('%j to %s: %s', (meta, recipient, name) => {
		expect(queueNameOf(meta, recipient)).toBe(name);
	});
});

describe('KumoMTA’s HTTP server', () => {
	const message = { sender: 'news@example.com', recipient: 'a@example.net', headers: from('news@example.com') };

	it('keeps for a minute what a credential got', async () => {
		const policy = await only('http_server_validate_auth_basic', 'COUNT = (COUNT or 0) + 1 return false');
		const ask = (password: string) => {
			inject(policy, { ...message, peer: '127.0.0.1', basic: { user: 'u', password } });
			return policy.evaluate('return COUNT');
		};
		expect([ask('a'), ask('a'), ask('b')]).toEqual([1, 1, 2]);
		policy.clock.seconds += 61;
		expect(ask('a')).toBe(3);
	});

	it.each([
		['return nil', 500],
		['return', 500],
		["error('x')", 500],
		['return false', 401],
		['return {}', 200],
		['return true', 200]
	])('takes %s for %i, also from a trusted address', async (body, status) => {
		const policy = await only('http_server_validate_auth_basic', body);
		const reply = inject(policy, { ...message, peer: '127.0.0.1', basic: { user: 'u', password: 'p' } });
		expect(reply.status).toBe(status);
	});

	it.each([reject, "error('oops')"])('answers 200 with a failed recipient when the message meets %s', async (body) => {
		const reply = inject(await only('http_message_generated', body), { ...message, peer: '127.0.0.1' });
		expect(reply).toMatchObject({ status: 200, reason: expect.stringMatching(/5\.7\.1 no|oops/) as string });
		expect(reply.message).toBeUndefined();
	});
});
