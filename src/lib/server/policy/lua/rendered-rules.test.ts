import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { campaignHeader, passwordOf, proofEstate } from '../../../../../tests/proof/estate.ts';
import type { Arriving, Login } from '../../../../../tests/proof/message.ts';
import { play } from '../../../../../tests/proof/play.ts';
import { renderRevision, writeKeys } from '../../../../../tests/proof/revision.ts';
import type { RenderedRevision } from '../../../../../tests/proof/revision.ts';
import type { PolicyInput } from '../input.ts';
import { start } from './session.ts';
import { openPolicy } from './vm.ts';
import type { Policy } from './vm.ts';

/** The rules of policy.md section 4 over a directory.sqlite that the panel's own renderer made. */
let input: PolicyInput;
let revision: RenderedRevision;
let policy: Policy | undefined;

beforeAll(() => {
	input = proofEstate({ domains: 12, senders: 120 });
	input.tombstones = { senders: [{ tenant: 'gone.example', pool: 'former' }], pools: ['former'] };
	revision = renderRevision(input);
	writeKeys(revision.dkim, input);
});
afterEach(() => {
	policy?.close();
	policy = undefined;
});
afterAll(() => revision.remove());

async function started(): Promise<Policy> {
	policy = await openPolicy(revision.directory);
	start(policy);
	return policy;
}

// Domain 0 takes any return path and has two domain-wide senders; 1 is strict, with two keys; 2 has one domain-wide
// sender; 3 has no key; 4 is strict and has a bounce account.
const own = 's000000@d00000.example';
const strict = 's000010@d00001.example';
const wide = 's000021@d00002.example';
const unready = 's000030@d00003.example';
const accountable = 's000040@d00004.example';
const paused = 's000049@d00004.example';

const login = (user: string, change: Partial<Login> = {}): Login => ({
	user,
	password: passwordOf(user),
	authorizeAs: '',
	...change
});

function message(change: Partial<Arriving>, from: string | string[] = own): Arriving {
	return {
		arrival: { via: 'smtp', listener: 'submission', peer: '203.0.113.5', logins: [login(own)] },
		mailFrom: own,
		recipients: ['a@example.net'],
		headers: [from].flat().map((value) => ['From', value]),
		...change
	};
}

const submitted = (user: string, mailFrom = user, from: string | string[] = user) =>
	message(
		{ arrival: { via: 'smtp', listener: 'submission', peer: '203.0.113.5', logins: [login(user)] }, mailFrom },
		from
	);
const logins = (...list: Login[]) =>
	message({ arrival: { via: 'smtp', listener: 'submission', peer: '203.0.113.5', logins: list } });
const relayed = (from: string, mailFrom = from, peer = '198.51.100.9') =>
	message({ arrival: { via: 'smtp', listener: 'relay', peer, logins: [] }, mailFrom }, from);
const injected = (from: string, basic?: { user: string; password: string }, peer = '127.0.0.1') =>
	message({ arrival: { via: 'http', peer, ...(basic === undefined ? {} : { basic }) }, mailFrom: from }, from);
const received = (recipient: string, type = 'text/plain') =>
	message({
		arrival: { via: 'smtp', listener: 'inbound', peer: '203.0.113.5', logins: [] },
		mailFrom: '',
		recipients: [recipient],
		headers: [
			['From', 'a@example.net'],
			['Content-Type', type]
		]
	});
const dsn = 'multipart/report; report-type=delivery-status';
const complaint = 'multipart/report; report-type=feedback-report';
const mailbox = (address: string) => `${input.mailboxes.find((each) => each.address === address)?.id}.mailbox.internal`;

const refusals: [what: string, message: Arriving, reply: RegExp][] = [
	['AUTH with a wrong password', logins(login(own, { password: 'x' })), /^535 /],
	['AUTH as somebody else', logins(login(own, { authorizeAs: strict })), /^535 /],
	['AUTH without a user', logins(login('', { password: 'x' })), /^535 /],
	['AUTH of a sender without a password', logins(login('s000005@d00000.example')), /^535 /],
	[
		'AUTH wrong three times',
		logins(...Array.from({ length: 3 }, () => login(own, { password: 'x' }))),
		/^421 4\.7\.0 /
	],
	['MAIL before AUTH', logins(), /^530 5\.7\.0 /],
	['MAIL FROM a stranger', submitted(own, 'a@elsewhere.example'), /^550 5\.7\.1 /],
	['MAIL FROM a colleague', submitted(own, 's000001@d00000.example'), /^550 5\.7\.1 /],
	['MAIL FROM nobody', submitted(own, ''), /^550 5\.1\.7 /],
	['MAIL FROM anything at a strict bounce host', submitted(strict, 'v=1@bounce.d00001.example'), /^550 5\.7\.1 /],
	['MAIL FROM a disabled account', submitted(strict, 'replies@bounce.d00001.example'), /^550 5\.7\.1 /],
	['From a stranger', submitted(own, own, 'ceo@bank.example'), /^550 5\.7\.1 /],
	['From another address of the domain', submitted(own, own, 'info@d00000.example'), /^550 5\.7\.1 /],
	['From missing', submitted(own, own, []), /^550 5\.6\.0 /],
	['From twice', submitted(own, own, [own, own]), /^550 5\.6\.0 /],
	['From as a list', submitted(own, own, `${own}, ceo@bank.example`), /^550 5\.6\.0 /],
	['From quoted', submitted(own, own, '"s000000"@d00000.example'), /^550 5\.6\.0 /],
	['a paused sender', submitted(paused), /^450 4\.7\.1 /],
	['a domain that is not ready', submitted(unready), /^450 4\.7\.1 .*no active DKIM key/],
	['a relay host with an unknown sender', relayed('nobody@d00001.example'), /^550 5\.7\.1 /],
	['a relay host where two own the domain', relayed('nobody@d00000.example', own), /^550 5\.7\.1 /],
	['a relay host with a paused sender', relayed(paused), /^450 4\.7\.1 /],
	['a relay host that is none', relayed(own, own, '198.51.100.16'), /^550 5\.7\.1 relaying not permitted/],
	['injection of an unknown sender', injected('nobody@d00001.example'), /^550 5\.7\.1 /],
	['injection from elsewhere', injected(own, undefined, '203.0.113.5'), /^401 /],
	['injection with a wrong password', injected(own, { user: own, password: 'x' }), /^401 /],
	['injection as a colleague', injected(strict, { user: own, password: passwordOf(own) }), /^550 5\.7\.1 /],
	['mail to nobody at a strict bounce host', received('nobody@bounce.d00004.example'), /^550 5\.1\.1 /],
	['mail to a disabled account', received('replies@bounce.d00001.example'), /^550 5\.1\.1 /],
	['mail to a sending domain', received(own), /^550 5\.7\.1 relaying not permitted/],
	['a letter to abuse', received('abuse@bounce.d00004.example'), /^550 5\.1\.1 /],
	['a letter to anybody at an open bounce host', received('v=1@bounce.d00000.example'), /^550 5\.1\.1 /]
];

const accepted: [what: string, message: Arriving, queue: string | (() => string), signatures?: number][] = [
	['AUTH right', submitted(own), 's000000.d00000.example@example.net', 1],
	['AUTH with 4,096 iterations', submitted('s000008@d00000.example'), 's000008.d00000.example@example.net', 1],
	[
		'AUTH right at the third try',
		logins(login(own, { password: 'x' }), login(''), login(own)),
		's000000.d00000.example@example.net',
		1
	],
	['MAIL FROM tagged', submitted(own, 's000000+7@d00000.example'), 's000000.d00000.example@example.net', 1],
	['MAIL FROM the bounce host', submitted(own, 'v=1@bounce.d00000.example'), 's000000.d00000.example@example.net', 1],
	[
		'MAIL FROM an account, tagged',
		submitted(accountable, 'replies+1@bounce.d00004.example'),
		's000040.d00004.example@example.net',
		1
	],
	['two keys', submitted(strict), 's000010.d00001.example@example.net', 2],
	[
		'From any address of a domain-wide sender',
		submitted(wide, wide, 'anyone@d00002.example'),
		's000021.d00002.example@example.net',
		1
	],
	['a relay host', relayed(own), 's000000.d00000.example@example.net', 1],
	[
		'a relay host and a domain-wide sender',
		relayed('anyone@d00002.example', wide),
		's000021.d00002.example@example.net',
		1
	],
	['injection from this host', injected(own), 's000000.d00000.example@example.net', 1],
	[
		'injection with a password',
		injected(own, { user: own, password: passwordOf(own) }, '203.0.113.5'),
		's000000.d00000.example@example.net',
		1
	],
	[
		'a campaign',
		message({
			headers: [
				['From', own],
				[campaignHeader, 'spring']
			]
		}),
		'spring:s000000.d00000.example@example.net',
		1
	],
	[
		'a hostile campaign',
		message({
			headers: [
				['From', own],
				[campaignHeader, 'a:b@c!d\u202e']
			]
		}),
		's000000.d00000.example@example.net',
		1
	],
	['a letter to an account', received('REPLIES@Bounce.d00004.EXAMPLE'), () => mailbox('replies@bounce.d00004.example')],
	[
		'a report to a tagged account',
		received('replies+9@bounce.d00004.example', dsn),
		() => mailbox('replies@bounce.d00004.example')
	],
	[
		'a letter to postmaster’s account',
		received('postmaster@bounce.d00000.example'),
		() => mailbox('postmaster@bounce.d00000.example')
	],
	['a report without an account', received('v=1@bounce.d00000.example', dsn), 'null'],
	[
		'a complaint to the complaint address’s account',
		received('fbl@bounce.d00002.example', complaint),
		() => mailbox('fbl@bounce.d00002.example')
	],
	['a complaint to the complaint address', received('fbl@bounce.d00007.example', complaint), 'null'],
	['a report to abuse', received('abuse@bounce.d00004.example', dsn), 'null']
];

describe('a rendered revision', () => {
	it.each(refusals)('refuses %s', async (_what, arriving, reply) => {
		const found = play(await started(), arriving);
		expect(found.reply).toMatch(reply);
		expect(found.deliveries).toEqual([]);
	});

	it.each(accepted)('takes %s', async (_what, arriving, queue, signatures = 0) => {
		const found = play(await started(), arriving);
		expect(found).toMatchObject({ reply: '250 OK', refused: [] });
		expect(found.deliveries.map((each) => each.queue)).toEqual([typeof queue === 'string' ? queue : queue()]);
		expect(found.deliveries[0]?.signatures).toHaveLength(signatures);
		expect(found.deliveries[0]?.hasCampaignHeader).toBe(false);
	});

	it.each(['inbound', 'relay'] as const)('takes no login on a listener for %s', async (listener) => {
		const arrival = { via: 'smtp', listener, peer: '198.51.100.9', logins: [login(own)] } as const;
		expect(play(await started(), message({ arrival: { ...arrival, logins: [login(own)] } })).reply).toMatch(
			/^503 5\.5\.1 /
		);
	});

	it('slows logins from one address down', async () => {
		const current = await started();
		for (let count = 0; count < 20; count++) play(current, logins(login(own, { password: `x${count}` })));
		expect(play(current, submitted(own)).reply).toMatch(/^454 4\.7\.0 /);
		current.clock.seconds += 60;
		expect(play(current, submitted(own)).reply).toBe('250 OK');
	});

	it('keeps mail of removed senders in their removed pool, and never uses unspecified', async () => {
		const current = await started();
		const text = (value: string) => ({ kind: 'text', value }) as const;
		expect(current.call('get_queue_config', text('example.net'), text('gone.example'))).toMatchObject({
			value: { egress_pool: 'former' }
		});
		expect(current.call('get_egress_pool', text('former'))).toEqual({ kind: 'value', value: { name: 'former' } });
		expect(current.call('get_queue_config', text('example.net'), text('never.was'))).toMatchObject({
			value: { egress_pool: 'main' }
		});
		expect(current.call('get_egress_source', text('unspecified')).kind).toBe('failed');
	});
});
