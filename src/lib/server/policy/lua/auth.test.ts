import { describe, expect, it } from 'vitest';
import { answer, chosen, generated, inbound, policyWith, relay, stranger, submission } from './fixture.ts';
import { openSession } from './session.ts';

describe('AUTH', () => {
	const refused: [what: string, user: string, password: string, authorizeAs?: string][] = [
		['a wrong password', 'news@example.com', 'wrong'],
		['a password with another case', 'news@example.com', generated.toUpperCase()],
		['an unknown user', 'nobody@example.com', generated],
		['a sender without a password', 'mute@example.com', generated],
		['no user', '', generated],
		['no password', 'news@example.com', ''],
		['nothing at all', '', ''],
		['the authorization identity of somebody else', 'news@example.com', generated, 'all@example.com'],
		['the tenant as authorization identity', 'news@example.com', generated, 'all.example.com'],
		['a tenant as user', 'news.example.com', generated],
		['a domain as user', 'example.com', generated],
		['a bounce account as user', 'desk@bounce.example.com', generated],
		['a user that is SQL', "' OR 1=1 --", generated],
		['a user with more than 254 bytes', `${'a'.repeat(250)}@example.com`, generated],
		['a password that is the path of a readable file', 'news@example.com', '/etc/hostname'],
		['the stored hash as password', 'news@example.com', '0'.repeat(64)],
		['a password with more than 128 bytes', 'all@example.com', chosen + ' '.repeat(120)]
	];
	it.each(refused)('refuses %s', async (_what, user, password, authorizeAs) => {
		const session = submission(await policyWith());
		expect(answer(session.auth(user, password, authorizeAs))).toBe('535 5.7.8 AUTH invalid');
		expect(session.meta().authn_id).toBeUndefined();
		expect(session.mailFrom('news@example.com').code).toBe(530);
	});

	it.each([
		['a generated password', 'news@example.com', generated, undefined, 'news.example.com'],
		['a chosen password', 'all@example.com', chosen, undefined, 'all.example.com'],
		['another letter case of the user', 'News@EXAMPLE.com', generated, undefined, 'news.example.com'],
		['an equal authorization identity', 'news@example.com', generated, 'news@example.com', 'news.example.com']
	])('takes %s and keeps its own spelling', async (_what, user, password, authorizeAs, tenant) => {
		const session = submission(await policyWith());
		expect(session.auth(user, password, authorizeAs).code).toBe(235);
		expect(session.meta()).toMatchObject({ authz_id: tenant, authn_id: user.toLowerCase() });
	});

	it.each(['inbound', 'relay'])('is not offered on a listener for %s', async (listener) => {
		const session = openSession(await policyWith(), { listener, peer: stranger });
		expect(answer(session.auth('news@example.com', generated))).toBe('503 5.5.1 this listener takes no logins');
	});

	it('ends the connection at the third failure', async () => {
		const session = submission(await policyWith());
		expect(session.auth('news@example.com', 'a').code).toBe(535);
		expect(session.auth('news@example.com', generated, 'x@example.com').code).toBe(535);
		expect(session.isOpen()).toBe(true);
		expect(answer(session.auth('nobody@example.com', 'c'))).toBe('421 4.7.0 too many failed logins');
		expect(session.isOpen()).toBe(false);
	});

	it('slows one address down before any hash, whoever it asks for, and lets others in', async () => {
		const policy = await policyWith();
		for (let count = 0; count < 20; count++) submission(policy).auth(`user${count}@example.com`, 'x');
		const before = policy.observed().hmacs;
		expect(answer(submission(policy).auth('news@example.com', generated))).toBe(
			'454 4.7.0 too many logins, try again later'
		);
		expect(policy.observed().hmacs).toBe(before);
		expect(submission(policy, '198.51.100.7').auth('news@example.com', generated).code).toBe(235);
		policy.clock.seconds += 60;
		expect(submission(policy).auth('news@example.com', generated).code).toBe(235);
	});

	it('slows one sender down across addresses', async () => {
		const policy = await policyWith();
		const answers = Array.from(
			{ length: 61 },
			(_, index) => submission(policy, `198.51.100.${index}`).auth('news@example.com', 'wrong').code
		);
		expect(answers.slice(0, 60)).toEqual(Array.from({ length: 60 }, () => 535));
		expect(answers[60]).toBe(454);
	});

	it('computes as much for an unknown user as for a wrong password', async () => {
		const policy = await policyWith();
		const cost = (user: string, password: string) => {
			const before = policy.observed().hmacs;
			submission(policy).auth(user, password);
			return policy.observed().hmacs - before;
		};
		const wrong = cost('news@example.com', 'wrong');
		expect(wrong).toBe(1);
		expect(cost('nobody@example.com', 'wrong')).toBe(wrong);
		expect(cost('mute@example.com', 'wrong')).toBe(wrong);
		expect(cost('', '')).toBe(wrong);
	});

	it('derives a chosen password once and keeps no password in a cache key', async () => {
		const policy = await policyWith();
		for (let count = 0; count < 3; count++) expect(submission(policy).auth('all@example.com', chosen).code).toBe(235);
		expect(policy.observed().hmacs).toBe(4096 + 3);
		expect(submission(policy).auth('all@example.com', 'another password').code).toBe(535);
		const keys = policy.observed().memoKeys.join('\n');
		expect(keys).toContain('kumomta_ui_password');
		expect(keys).not.toContain(chosen);
		expect(keys).not.toContain('another password');
	});

	it('does not let a cached refusal stand for the right password', async () => {
		const policy = await policyWith();
		expect(submission(policy).auth('all@example.com', 'wrong').code).toBe(535);
		expect(submission(policy).auth('all@example.com', chosen).code).toBe(235);
		expect(submission(policy).auth('all@example.com', 'wrong').code).toBe(535);
	});
});

describe('before AUTH', () => {
	it.each(['news@example.com', '', 'a@b.example', 'x@bounce.example.com'])('MAIL FROM:<%s> is 530', async (address) => {
		const session = submission(await policyWith());
		expect(answer(session.mailFrom(address))).toBe('530 5.7.0 authentication required');
		expect(session.isOpen()).toBe(true);
	});
});

describe('a listener of an older revision', () => {
	it.each([null, 'bounce', ''])('with purpose %s is 421 at once', async (purpose) => {
		const session = openSession(await policyWith(), { listener: 'submission', peer: stranger, purpose });
		expect(session.greeting.code).toBe(421);
		expect(session.greeting.error).toBeUndefined();
		expect(session.isOpen()).toBe(false);
	});

	it('is 421 in every command of a connection that was open before', async () => {
		const policy = await policyWith();
		const connection = policy.newConnection({ received_from: '203.0.113.5:1', x_purpose: 'old' });
		const self = { kind: 'connection', value: connection } as const;
		const address = { kind: 'address', value: 'news@example.com' } as const;
		const message = policy.newMessage({
			sender: '',
			recipients: ['a@example.net'],
			headers: [['From', 'a@b.example']]
		});
		const text = { kind: 'text', value: 'x' } as const;
		for (const outcome of [
			policy.call('smtp_server_auth_plain', text, text, text, self),
			policy.call('smtp_server_mail_from', address, self),
			policy.call('smtp_server_rcpt_to', address, self),
			policy.call('smtp_server_data', { kind: 'message', value: message }, self),
			policy.call('smtp_server_message_received', { kind: 'message', value: message }, self)
		])
			expect(outcome).toMatchObject({ kind: 'rejected', rejection: { code: 421 } });
		expect(policy.call('get_listener_domain', { kind: 'text', value: 'bounce.example.com' }, text, self)).toEqual({
			kind: 'value',
			value: undefined
		});
	});
});

describe('strangers', () => {
	const recipients = [
		'victim@example.net',
		'news@example.com',
		'postmaster',
		'postmaster@[203.0.113.9]',
		'a@b@example.net'
	];
	it.each(recipients)('relay nothing to %s', async (recipient) => {
		const policy = await policyWith();
		for (const open of [inbound, (p: typeof policy) => relay(p, stranger)]) {
			for (const sender of [
				'news@example.com',
				'',
				'x@bounce.example.com',
				'a@EXAMPLE.com',
				'spam@elsewhere.example'
			]) {
				const session = open(policy);
				session.mailFrom(sender);
				expect(session.rcptTo(recipient).code).toBeGreaterThanOrEqual(500);
				expect(session.data([['From', 'news@example.com']]).code).toBe(503);
			}
		}
	});

	it('do not become trusted as an IPv4 peer of an IPv6 listener', async () => {
		const node = { listener: [{ address: '::', port: 2525, purpose: 'relay' }] };
		const policy = await policyWith({ node });
		const take = (peer: string) => {
			const session = relay(policy, peer);
			session.mailFrom('news@example.com');
			return session.rcptTo('a@example.net').code;
		};
		expect(take('::ffff:203.0.113.5')).toBe(550);
		expect(take('::ffff:192.0.2.16')).toBe(550);
		expect(take('::1')).toBe(550);
		expect(take('::ffff:192.0.2.15')).toBe(250);
	});

	it('and a sender at a link-local address with a zone is granted that address', async () => {
		const policy = await policyWith();
		const meta = { x_purpose: 'submission', authn_id: 'news@example.com', received_from: '[fe80::1%2]:40000' };
		const connection = policy.newConnection(meta);
		expect(
			policy.call(
				'get_listener_domain',
				{ kind: 'text', value: 'example.com' },
				{ kind: 'text', value: '[::]:587' },
				{ kind: 'connection', value: connection }
			)
		).toEqual({ kind: 'value', value: { relay_from: ['fe80::1'] } });
	});

	it('on loopback are strangers too', async () => {
		const policy = await policyWith();
		const session = inbound(policy, '127.0.0.1');
		session.mailFrom('news@example.com');
		expect(session.rcptTo('victim@example.net').code).toBe(550);
	});
});
