import { describe, expect, it } from 'vitest';
import { estateId, estateInput } from '../../../../tests/support/estate.ts';
import { checkPolicy } from './check.ts';
import type { CheckContext } from './check.ts';
import { policyInput } from './input.ts';
import type { PolicyInput } from './input.ts';
import { openJudge, shareOrganization } from './judge.ts';
import { inOrder, sendersInOrder } from './order.ts';
import type { Problem } from './problem.ts';

const now = Date.UTC(2026, 0, 5);
const day = 86_400_000;

function check(change: (input: PolicyInput) => unknown, context: Partial<CheckContext> = {}): Problem[] {
	const input = estateInput({ domains: 3, senders: 6 });
	input.mailboxes.splice(1);
	change(input);
	const head = inOrder(policyInput.parse(input));
	const judge = openJudge(head);
	for (const sender of sendersInOrder(input)) judge.sender(sender);
	const given = { facts: {}, now, isLive: () => false, dropping: [], unreadable: [], ...context };
	return checkPolicy(head, judge.finish(), given).filter(({ code }) => code !== 'tls-self-signed');
}

const listener = (address: string, port: number, purpose: 'inbound' | 'submission' | 'relay' = 'inbound') => ({
	address,
	port,
	purpose
});
const relay =
	(...relayHosts: string[]) =>
	(input: PolicyInput) => {
		input.settings.relayHosts = relayHosts;
		input.settings.listeners = [listener('0.0.0.0', 25), listener('10.0.0.1', 2525, 'relay')];
	};
const listeners =
	(...all: ReturnType<typeof listener>[]) =>
	(input: PolicyInput) =>
		(input.settings.listeners = all);

describe('a sound estate', () => {
	it('has no problem', () => {
		expect(check(() => {})).toEqual([]);
	});
});

describe('what blocks', () => {
	const cases: [code: string, scope: string, field: string | undefined, change: (input: PolicyInput) => unknown][] = [
		['no-hostname', 'node', 'hostname', ({ settings }) => (settings.hostname = null)],
		['no-default-pool', 'node', 'defaultPoolId', ({ settings }) => (settings.defaultPool = 'nowhere')],
		['no-listeners', 'node', 'listeners', listeners()],
		['listener-collides', 'node', 'listeners.1.port', listeners(listener('0.0.0.0', 25), listener('::', 25))],
		['listener-collides', 'node', 'listeners.1.port', listeners(listener('192.0.2.1', 25), listener('0.0.0.0', 25))],
		['listener-collides', 'node', 'listeners.1.port', listeners(listener('192.0.2.1', 25), listener('192.0.2.1', 25))],
		['listener-collides', 'node', 'listeners.0.port', listeners(listener('0.0.0.0', 8000))],
		['relay-host-too-wide', 'node', 'relayHosts.0', relay('0.0.0.0/0')],
		['relay-host-too-wide', 'node', 'relayHosts.0', relay('::/0')],
		['relay-host-too-wide', 'node', 'relayHosts.0', relay('10.0.0.0/7')],
		['relay-host-too-wide', 'node', 'relayHosts.0', relay('2001::/31')],
		['relay-host-too-wide', 'node', 'relayHosts.0', relay('203.0.0.0/15')],
		['relay-hosts-too-many', 'node', 'relayHosts', relay(...[1, 2, 3, 4, 5].map((each) => `8.${each}.0.0/16`))],
		[
			'spool-in-logs',
			'node',
			'spool.directory',
			({ settings }) => (settings.spool.directory = '/var/log/kumomta/spool')
		],
		['empty-pool', 'pool', 'sources', ({ pools }) => (pools[0]!.entries = [])],
		['empty-pool', 'pool', 'sources', ({ pools }) => (pools[0]!.entries[0]!.weight = 0)],
		['unknown-source', 'pool', 'sources', ({ pools }) => (pools[0]!.entries[0]!.sourceId = estateId('none', 1))],
		['duplicate-source', 'source', 'address', ({ sources }) => (sources[1] = { ...sources[0]!, id: sources[1]!.id })]
	];

	it.each(cases)('%s (%s, %s)', (code, scope, field, change) => {
		const found = check(change).filter(({ blocks }) => blocks);
		expect(found).toContainEqual(expect.objectContaining({ severity: 'error', code, scope, field, blocks: true }));
		for (const { message } of found) expect(message).toMatch(/^[A-Z].*\. .*\.$/s);
	});

	it('but for relay hosts that the operator insists on', () => {
		expect(
			check((input) => {
				relay('0.0.0.0/0')(input);
				input.settings.relayHostsOverride = ['0.0.0.0/0'];
			})
		).toEqual([]);
	});

	it('and not what is fine', () => {
		for (const change of [
			relay('10.0.0.0/8', '192.168.0.0/16', '172.16.0.0/12', 'fd00:1::/32', '198.51.0.0/16', '2001:db8::/32'),
			relay('8.1.0.0/16', '8.1.0.0/17', '8.1.128.0/17', '8.2.0.0/16', '8.3.0.0/16', '8.4.0.0/16'),
			listeners(
				listener('192.0.2.1', 25),
				listener('192.0.2.2', 25),
				listener('2001:db8::1', 25),
				listener('0.0.0.0', 587)
			)
		])
			expect(check(change)).toEqual([]);
	});
});

describe('what only stays out', () => {
	const cases: [code: string, scope: string, change: (input: PolicyInput) => unknown][] = [
		['no-active-key', 'domain', ({ dkimKeys }) => dkimKeys.shift()],
		['bounce-host-is-domain', 'domain', ({ domains }) => (domains[1]!.bounceHost = domains[0]!.name)],
		['foreign-domain', 'sender', ({ senders, domains }) => (senders[0]!.domainId = domains[2]!.id)],
		['no-domain', 'sender', ({ senders }) => (senders[0]!.domainId = estateId('none', 1))],
		['no-pool', 'sender', ({ senders }) => (senders[0]!.poolId = estateId('none', 1))],
		['duplicate', 'sender', ({ senders }) => (senders[1]!.tenant = senders[0]!.tenant)],
		[
			'duplicate',
			'sender',
			({ senders }) => senders.push({ ...senders[0]!, id: estateId('none', 1), tenant: 'other' })
		],
		['foreign-bounce-host', 'bounce-account', ({ mailboxes, domains }) => (mailboxes[0]!.domainId = domains[2]!.id)]
	];

	it.each(cases)('%s (%s)', (code, scope, change) => {
		expect(check(change)).toEqual([expect.objectContaining({ severity: 'error', code, scope, blocks: false })]);
	});

	it.each(cases)('%s (%s) blocks when it is live, unless the apply names it', (code, scope, change) => {
		const [found] = check(change, { isLive: (of) => of === scope });
		expect(found).toMatchObject({ code, blocks: true });
		const dropping = [found?.id ?? ''];
		expect(check(change, { isLive: () => true, dropping })[0]).toMatchObject({ code, blocks: false });
	});
});

describe('what only warns', () => {
	const cases: [code: string, change: (input: PolicyInput) => unknown][] = [
		['default-pool-unset', ({ settings }) => (settings.defaultPool = null)],
		['bounce-host-not-aligned', ({ domains }) => (domains[1]!.bounceHost = 'bounce.elsewhere.test')],
		['no-implicit-tls', listeners(listener('0.0.0.0', 465, 'submission'))],
		['relay-without-hosts', listeners(listener('0.0.0.0', 25, 'relay'))],
		['hosts-without-relay', ({ settings }) => (settings.relayHosts = ['10.0.0.0/8'])],
		[
			'retry-after-expiry',
			({ senders }) => Object.assign(senders[1]!, { retryIntervalSeconds: 900, maxAgeSeconds: 600 })
		],
		['two-domain-senders', ({ senders }) => senders.slice(0, 2).forEach((sender) => (sender.fromPolicy = 'domain'))],
		['pool-name-returned', ({ tombstones }) => tombstones.pools.push('main')],
		['empty-pool', ({ pools }) => pools.push({ id: estateId('pool', 9), name: 'idle', entries: [] })]
	];

	it.each(cases)('%s', (code, change) => {
		expect(check(change)).toEqual([expect.objectContaining({ severity: 'warning', code, blocks: false })]);
	});

	it('an address that this server does not have', () => {
		const found = check(() => {}, { facts: { addresses: ['192.0.2.1'] } });
		expect(found).toEqual([
			expect.objectContaining({ code: 'address-not-here', subject: 'Out 2', severity: 'warning' })
		]);
	});
});

describe('the certificate', () => {
	const good = { readable: true, keyMatches: true, notAfterAt: now + 60 * day, names: ['mta.example.net'] };
	const cases: [code: string | undefined, blocks: boolean, facts: Partial<typeof good>][] = [
		[undefined, false, {}],
		[undefined, false, { names: ['other.test', '*.EXAMPLE.net'] }],
		['tls-unreadable', true, { readable: false }],
		['tls-key-mismatch', true, { keyMatches: false }],
		['tls-expired', true, { notAfterAt: now }],
		['tls-expires', false, { notAfterAt: now + 3 * day }],
		['tls-name-mismatch', false, { names: ['*.net'] }]
	];

	it.each(cases)('%s (blocks: %s) with %j', (code, blocks, facts) => {
		const found = check(({ settings }) => (settings.tlsName = 'mta'), { facts: { tls: { ...good, ...facts } } });
		expect(found.map((each) => [each.code, each.blocks])).toEqual(code === undefined ? [] : [[code, blocks]]);
	});
});

describe('organizational domains', () => {
	it.each([
		['news.example.com', 'bounce.example.com', true],
		['example.com', 'bounce.example.com', true],
		['example.com', 'example.net', false],
		['a.co.uk', 'b.co.uk', false],
		['a.shop.co.uk', 'b.shop.co.uk', true],
		['notexample.com', 'example.com', false]
	])('%s and %s: %s', (one, other, expected) => {
		expect(shareOrganization(one, other)).toBe(expected);
		expect(shareOrganization(other, one)).toBe(expected);
	});
});
