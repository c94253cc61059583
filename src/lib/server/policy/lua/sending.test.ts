import { describe, expect, it } from 'vitest';
import { answer, chosen, from, generated, loggedIn, policyWith, relay, rows, stranger, submission } from './fixture.ts';
import { openSession } from './session.ts';
import type { Header } from './host.ts';
import type { Session } from './session.ts';

const foreign = '550 5.7.1 MAIL FROM must be the sender address or at its bounce host';
const account = '550 5.7.1 this bounce host takes only its accounts as MAIL FROM';
const oneFrom = '550 5.6.0 exactly one From header is required';
const plainFrom = '550 5.6.0 From must contain one plain mail address';
const notYours = '550 5.7.1 this sender may not use this From address';

function send(session: Session, headers: readonly Header[], sender = 'news@example.com', recipient = 'a@example.net') {
	expect(answer(session.mailFrom(sender))).toBe('250 OK');
	expect(answer(session.rcptTo(recipient))).toBe('250 OK');
	return session.data(headers);
}

describe('MAIL FROM of an authenticated sender', () => {
	const cases: [user: string, address: string, expected: string][] = [
		['news@example.com', 'news@example.com', '250 OK'],
		['news@example.com', 'NEWS@Example.COM', '250 OK'],
		['news@example.com', 'news+17@example.com', '250 OK'],
		['news@example.com', 'news+@example.com', '250 OK'],
		['news@example.com', 'anything=at=all@bounce.example.com', '250 OK'],
		['news@example.com', '', '550 5.1.7 the null sender is for reports only'],
		['news@example.com', 'all@example.com', foreign],
		['news@example.com', 'newsletter@example.com', foreign],
		['news@example.com', 'news@example.com.evil.example', foreign],
		['news@example.com', 'news@sub.example.com', foreign],
		['news@example.com', '"news@example.com"@evil.example', foreign],
		['news@example.com', 'x@b.strict.example', foreign],
		['news@example.com', 'postmaster', foreign],
		['me@strict.example', 'bounces@b.strict.example', '250 OK'],
		['me@strict.example', 'bounces+77@b.strict.example', '250 OK'],
		['me@strict.example', 'other@b.strict.example', account],
		['me@strict.example', 'other+bounces@b.strict.example', account]
	];
	it.each(cases)('%s as <%s>: %s', async (user, address, expected) => {
		const session = loggedIn(await policyWith(), user);
		expect(answer(session.mailFrom(address))).toBe(expected);
	});
});

describe('the From header', () => {
	const cases: [what: string, headers: Header[], expected: string][] = [
		['exact', from('news@example.com'), '250 OK'],
		['with a name', from('"News, Ltd." <news@example.com>'), '250 OK'],
		['with a comment', from('news@example.com (the (real) news)'), '250 OK'],
		['in another letter case', from('News <NEWS@Example.COM>'), '250 OK'],
		['of a colleague', from('all@example.com'), notYours],
		['with a tag', from('news+1@example.com'), notYours],
		['of another domain', from('me@strict.example'), notYours],
		['of a stranger', from('ceo@bank.example'), notYours],
		['of a domain that ends alike', from('news@example.com.evil.example'), notYours],
		['that only looks right in its name', from('"news@example.com" <ceo@bank.example>'), notYours],
		['missing', [['Subject', 'x']], oneFrom],
		['twice', from('news@example.com', ['From', 'ceo@bank.example']), oneFrom],
		['twice in other letters', from('news@example.com', ['FROM', 'news@example.com']), oneFrom],
		['empty', from(''), plainFrom],
		['with two addresses', from('news@example.com, ceo@bank.example'), plainFrom],
		['as a group', from('Friends: news@example.com;'), plainFrom],
		['without a domain', from('news'), plainFrom],
		['quoted', from('"news"@example.com'), plainFrom],
		['quoted before a comment', from('"news" (x) @example.com'), plainFrom],
		['quoted in angle brackets', from('News <"news"(x)@example.com>'), plainFrom],
		['quoted with an address inside', from('"news@example.com"@bank.example'), plainFrom],
		['quoted with a space', from('"ne ws"@example.com'), plainFrom],
		['at a literal', from('news@[192.0.2.1]'), plainFrom],
		['in other letters of the world', from('nеws@example.com'), plainFrom],
		['not closed', from('News <news@example.com'), plainFrom],
		['with a NUL', from('news@example.com\0@bank.example'), plainFrom]
	];
	it.each(cases)('%s', async (_what, headers, expected) => {
		const reply = send(loggedIn(await policyWith()), headers);
		expect(answer(reply)).toBe(expected);
		expect(reply.error).toBeUndefined();
		expect(reply.messages.length).toBe(expected === '250 OK' ? 1 : 0);
	});

	it('may be any address of the domain where the sender’s policy says so', async () => {
		const policy = await policyWith();
		for (const [address, code] of [
			['anyone@example.com', 250],
			['news@example.com', 250],
			['anyone@sub.example.com', 550],
			['me@strict.example', 550]
		] as const)
			expect(send(loggedIn(policy, 'all@example.com', chosen), from(address), 'all@example.com').code).toBe(code);
	});
});

describe('an accepted message', () => {
	it('carries tenant, sender and domain and is signed by every active key in order', async () => {
		const { messages } = send(loggedIn(await policyWith()), from('news@example.com'));
		expect(messages).toHaveLength(1);
		const [message] = messages;
		expect(message).toMatchObject({
			queue: 'news.example.com@example.net',
			meta: { tenant: 'news.example.com', x_sender: 's1', x_domain: 'example.com' }
		});
		expect(message?.signatures.map(({ domain, selector }) => `${selector}.${domain}`)).toEqual([
			's1.example.com',
			's2.example.com'
		]);
		for (const { headers, over_sign } of message?.signatures ?? []) {
			expect(headers).toEqual(expect.arrayContaining(['From', 'To', 'Subject', 'Date', 'Message-ID']));
			expect(over_sign).toBe(true);
		}
		expect(message?.signatures[0]?.key).toMatch(/\/dkim\/example\.com\/s1\.key$/);
	});

	it('is one message per recipient with the same signatures', async () => {
		const session = loggedIn(await policyWith());
		session.mailFrom('news@example.com');
		session.rcptTo('a@example.net');
		session.rcptTo('b@example.org');
		const { messages } = session.data(from('news@example.com'));
		expect(messages.map(({ queue }) => queue)).toEqual([
			'news.example.com@example.net',
			'news.example.com@example.org'
		]);
		expect(messages.every(({ signatures }) => signatures.length === 2)).toBe(true);
	});

	it('is refused for now where a key can not be read, never sent unsigned', async () => {
		const policy = await policyWith();
		const reply = send(loggedIn(policy, 'me@keyless.example'), from('me@keyless.example'), 'me@keyless.example');
		expect(answer(reply)).toBe('451 4.7.0 the message can not be signed now');
		expect(policy.observed().logs.join()).toContain('DKIM signing failed for keyless.example');
	});

	it.each([
		'x@deferred_smtp_inject.kumomta.internal',
		'x@a.MAILBOX.internal',
		'x@hook.log_hook',
		'x@u.tsa.kumomta',
		'x@KumoMTA.internal.'
	])('does not reach a queue inside KumoMTA: %s', async (recipient) => {
		const session = loggedIn(await policyWith());
		session.mailFrom('news@example.com');
		expect(answer(session.rcptTo(recipient))).toBe('550 5.1.2 this domain is reserved');
	});
});

describe('a private domain', () => {
	it.each(['x@mail.corp.internal', 'x@internal', 'x@log_hook.example', 'x@notkumomta.internal'])(
		'is no reserved one: %s',
		async (recipient) => {
			const session = loggedIn(await policyWith());
			session.mailFrom('news@example.com');
			expect(answer(session.rcptTo(recipient))).toBe('250 OK');
		}
	);
});

describe('a sender that may not send', () => {
	it.each([
		['paused@example.com', '450 4.7.1 sending is paused for this sender'],
		['me@late.example', '450 4.7.1 the sender domain is not ready: no active DKIM key']
	])('%s logs in and is told why', async (user, expected) => {
		const session = loggedIn(await policyWith(), user);
		expect(answer(session.mailFrom(user))).toBe(expected);
	});

	it.each([
		['paused', { status: 'paused' as const }, 450],
		['removed', null, 550]
	])('is stopped at DATA when it was %s on an open connection', async (_what, change, code) => {
		const changed = { ...rows, sender: { ...rows.sender } };
		if (change === null) delete changed.sender['news@example.com'];
		else changed.sender['news@example.com'] = { ...changed.sender['news@example.com'], ...change };
		const policy = await policyWith({ rows: changed });
		const connection = policy.newConnection({ x_purpose: 'submission', authn_id: 'news@example.com' });
		const message = policy.newMessage({
			sender: 'news@example.com',
			recipients: ['a@example.net'],
			headers: from('news@example.com')
		});
		expect(
			policy.call('smtp_server_data', { kind: 'message', value: message }, { kind: 'connection', value: connection })
		).toMatchObject({ kind: 'rejected', rejection: { code } });
	});
});

describe('a relay host', () => {
	const unknown = '550 5.7.1 no sender has this From address';
	const cases: [what: string, headers: Header[], sender: string, expected: string][] = [
		['an exact sender', from('news@example.com'), 'news@example.com', 'news.example.com'],
		['the domain-wide sender', from('anyone@example.com'), 'all@example.com', 'all.example.com'],
		['the bounce host', from('anyone@example.com'), 'v=1@bounce.example.com', 'all.example.com'],
		['no sender', from('someone@strict.example'), 'me@strict.example', unknown],
		['an unknown domain', from('a@elsewhere.example'), 'a@elsewhere.example', unknown],
		['no From', [['Subject', 'x']], 'news@example.com', oneFrom],
		['a foreign MAIL FROM', from('news@example.com'), 'a@elsewhere.example', foreign],
		['a MAIL FROM of another sender', from('news@example.com'), 'all@example.com', foreign],
		['a paused sender', from('paused@example.com'), 'paused@example.com', '450 4.7.1 sending is paused for this sender']
	];
	it.each(cases)('with %s', async (_what, headers, sender, expected) => {
		const reply = send(relay(await policyWith()), headers, sender);
		expect(reply.code === 250 ? reply.messages[0]?.meta.tenant : answer(reply)).toBe(expected);
		expect(reply.error).toBeUndefined();
	});

	it('has no null sender', async () => {
		expect(answer(relay(await policyWith()).mailFrom(''))).toBe('550 5.1.7 the null sender is for reports only');
	});

	it('is nothing special on the other listeners', async () => {
		const policy = await policyWith();
		const session = openSession(policy, { listener: 'inbound', peer: '192.0.2.5' });
		session.mailFrom('news@example.com');
		expect(session.rcptTo('a@example.net').code).toBe(550);
		expect(submission(policy, '192.0.2.5').mailFrom('news@example.com').code).toBe(530);
	});

	it('outside its networks is refused', async () => {
		const session = relay(await policyWith(), stranger);
		session.mailFrom('news@example.com');
		expect(session.rcptTo('a@example.net').code).toBe(550);
	});
});

describe('get_listener_domain', () => {
	it.each(['relay', 'inbound', 'old'])('grants nothing to a name on a listener for %s', async (purpose) => {
		const policy = await policyWith();
		const meta = { x_purpose: purpose, authn_id: 'news@example.com', received_from: '203.0.113.5:1' };
		const connection = policy.newConnection(meta);
		expect(
			policy.call(
				'get_listener_domain',
				{ kind: 'text', value: 'example.com' },
				{ kind: 'text', value: '0.0.0.0:1' },
				{ kind: 'connection', value: connection }
			)
		).toEqual({ kind: 'value', value: undefined });
	});

	it('keeps what it answered before a second AUTH, and MAIL FROM still holds the new sender', async () => {
		const session = loggedIn(await policyWith());
		expect(send(session, from('news@example.com')).code).toBe(250);
		expect(session.auth('me@strict.example', generated).code).toBe(235);
		expect(answer(session.mailFrom('news@example.com'))).toBe(foreign);
	});
});

describe('the campaign header', () => {
	const node = { campaign_header: 'X-Campaign' };
	const cases: [value: string, campaign: string | undefined][] = [
		['spring-2026', 'spring-2026'],
		['A.b_c-1', 'A.b_c-1'],
		['x'.repeat(64), 'x'.repeat(64)],
		['x'.repeat(65), undefined],
		['', undefined],
		['.hidden', undefined],
		['a:b@c!d', undefined],
		['a"b', undefined],
		['a\\b', undefined],
		['a b', undefined],
		['a->b', undefined],
		['ä', undefined],
		['a\0b', undefined],
		['{{ meta.x }}', undefined]
	];
	it.each(cases)('%j', async (value, campaign) => {
		const { messages, code } = send(
			loggedIn(await policyWith({ node })),
			from('news@example.com', ['X-Campaign', value])
		);
		expect(code).toBe(250);
		expect(messages[0]?.meta.campaign).toBe(campaign);
		expect(messages[0]?.headers.map(([name]) => name)).toEqual(['From', 'Subject']);
		expect(messages[0]?.signatures).toHaveLength(2);
	});

	it('is dropped when it comes twice, and stays where Settings name none', async () => {
		const twice = from('news@example.com', ['X-Campaign', 'a'], ['x-campaign', 'b']);
		const { messages } = send(loggedIn(await policyWith({ node })), twice);
		expect(messages[0]?.meta.campaign).toBeUndefined();
		const unnamed = send(loggedIn(await policyWith()), from('news@example.com', ['X-Campaign', 'a']));
		expect(unnamed.messages[0]?.meta.campaign).toBeUndefined();
		expect(unnamed.messages[0]?.headers.map(([name]) => name)).toContain('X-Campaign');
	});

	it.each(['From', 'subject', 'DATE', 'Message-ID'])('is never taken away where mail needs it: %s', async (name) => {
		const { messages } = send(
			loggedIn(await policyWith({ node: { campaign_header: name } })),
			from('news@example.com', ['Date', 'spring'], ['Message-ID', 'spring'])
		);
		expect(messages[0]?.headers.map(([each]) => each)).toEqual(['From', 'Subject', 'Date', 'Message-ID']);
		expect(messages[0]?.meta.campaign).toBeUndefined();
	});

	it('names at most 1,000 campaigns per tenant at once, keeps known ones and grows again with time', async () => {
		const policy = await policyWith({ node });
		const session = loggedIn(policy);
		const campaignOf = (value: string) =>
			send(session, from('news@example.com', ['X-Campaign', value])).messages[0]?.meta.campaign;
		for (let count = 0; count < 1000; count++) expect(campaignOf(`c${count}`)).toBe(`c${count}`);
		expect(campaignOf('one-more')).toBeUndefined();
		expect(campaignOf('c7')).toBe('c7');
		const other = loggedIn(policy, 'all@example.com', chosen);
		const { messages } = send(other, from('all@example.com', ['X-Campaign', 'mine']), 'all@example.com');
		expect(messages[0]?.meta.campaign).toBe('mine');
		policy.clock.seconds += 3601;
		expect(campaignOf('one-more')).toBe('one-more');
	});
});
