import { describe, expect, it } from 'vitest';
import { from, policyWith } from './fixture.ts';
import type { Argument, Policy } from './vm.ts';

const text = (value: string | null): Argument => (value === null ? { kind: 'none' } : { kind: 'text', value });
const world = { provider: (domain: string) => (domain === 'gmail.com' ? 'google' : undefined) };

function queueConfig(policy: Policy, ...names: (string | null)[]) {
	return policy.call('get_queue_config', ...names.map(text));
}

const hostile = [
	'',
	'unspecified',
	"'; DROP TABLE tenant; --",
	'x'.repeat(5000),
	'../../etc',
	'ä',
	'\n',
	'[127.0.0.1]',
	'*',
	'{{ x }}',
	'0'
];

describe('get_queue_config', () => {
	const cases: [what: string, names: (string | null)[], expected: Record<string, unknown>][] = [
		[
			'a sender’s limits',
			['example.net', 'news.example.com', null, null],
			{ egress_pool: 'main', refresh_strategy: 'Epoch', max_message_rate: '2/h', retry_interval: 300, max_age: 86_400 }
		],
		[
			'a removed sender',
			['example.net', 'removed.example.com', 'spring', null],
			{ egress_pool: 'gone', refresh_strategy: 'Epoch' }
		],
		['an unknown tenant', ['example.net', 'nobody', null, null], { egress_pool: 'main', refresh_strategy: 'Epoch' }],
		['no tenant', ['example.net', null, null, null], { egress_pool: 'main', refresh_strategy: 'Epoch' }],
		[
			'the provider',
			['gmail.com', 'all.example.com', null, null],
			{ egress_pool: 'main', refresh_strategy: 'Epoch', provider_name: 'google' }
		],
		[
			'the provider of the routing domain',
			['corp.example', 'all.example.com', null, 'gmail.com'],
			{ egress_pool: 'main', refresh_strategy: 'Epoch', provider_name: 'google' }
		],
		[
			'no mailbox for a tenant',
			['mailbox000000001.mailbox.internal', 'all.example.com', null, null],
			{ egress_pool: 'main', refresh_strategy: 'Epoch' }
		]
	];
	it.each(cases)('knows %s', async (_what, names, expected) => {
		expect(queueConfig(await policyWith({ world }), ...names)).toEqual({ kind: 'value', value: expected });
	});

	it('answers for every name, never with the pool unspecified', async () => {
		const policy = await policyWith({ node: { default_pool: undefined }, world: { hasMx: () => false } });
		for (const domain of hostile)
			for (const tenant of [null, ...hostile])
				expect(queueConfig(policy, domain, tenant, tenant, domain)).toMatchObject({
					kind: 'value',
					value: { egress_pool: '_none', refresh_strategy: 'Epoch' }
				});
		expect(policy.call('get_egress_pool', text('_none'))).toEqual({ kind: 'value', value: { name: '_none' } });
	});

	it('answers when the directory can not be read', async () => {
		const policy = await policyWith();
		policy.evaluate('HOST.sqlite = function() return { problem = "disk I/O error" } end');
		expect(queueConfig(policy, 'example.net', 'news.example.com')).toEqual({
			kind: 'value',
			value: { egress_pool: 'main', refresh_strategy: 'Epoch' }
		});
		expect(policy.observed().logs.join()).toContain('disk I/O error');
	});
});

describe('pools and sources', () => {
	it.each([
		['main', { name: 'main', entries: [{ name: 'out-1-abc123', weight: 1 }] }],
		['gone', { name: 'gone' }],
		...hostile.map((name): [string, unknown] => [name, { name }])
	])('get_egress_pool(%j)', async (name, value) => {
		expect((await policyWith()).call('get_egress_pool', text(name))).toEqual({ kind: 'value', value });
	});

	it('a pool without any pools in node.toml has no entries', async () => {
		const policy = await policyWith({ node: { pool: undefined, source: undefined } });
		expect(policy.call('get_egress_pool', text('main'))).toEqual({ kind: 'value', value: { name: 'main' } });
	});

	it('knows its sources and lets mail of others wait, never on an address of the kernel’s choice', async () => {
		const policy = await policyWith();
		expect(policy.call('get_egress_source', text('out-1-abc123'))).toEqual({
			kind: 'value',
			value: { name: 'out-1-abc123', source_address: '192.0.2.10', ehlo_domain: 'out1.example.com' }
		});
		for (const name of hostile) expect(policy.call('get_egress_source', text(name)).kind).toBe('failed');
	});

	it('takes the egress path from the shaping helper', async () => {
		expect(
			(await policyWith({ world })).call(
				'get_egress_path_config',
				text('gmail.com'),
				text('out-1-abc123'),
				text('site')
			)
		).toEqual({
			kind: 'value',
			value: { refresh_strategy: 'Epoch', connection_limit: 10, provider_name: 'google' }
		});
	});
});

describe('a sender’s overall rate', () => {
	it('delays what is more, for all destinations together, and no other sender', async () => {
		const policy = await policyWith();
		const delays = (tenant: string | null, recipient: string) => {
			const meta = tenant === null ? {} : { tenant };
			const message = policy.newMessage({ sender: 'a@b.example', recipients: [recipient], headers: [], meta });
			expect(policy.call('throttle_insert_ready_queue', { kind: 'message', value: message })).toEqual({
				kind: 'value',
				value: undefined
			});
			return policy.viewMessage(message).delays;
		};
		expect([delays('news.example.com', 'a@x.example'), delays('news.example.com', 'a@y.example')]).toEqual([0, 0]);
		expect(delays('news.example.com', 'a@z.example')).toBe(1);
		for (const tenant of ['all.example.com', 'unknown', null, ...hostile])
			expect(delays(tenant, 'a@x.example')).toBe(0);
		policy.clock.seconds += 1800;
		expect(delays('news.example.com', 'a@x.example')).toBe(0);
	});
});

describe('without a readable directory', () => {
	it('mail still enters ready queues', async () => {
		const policy = await policyWith();
		policy.evaluate('HOST.sqlite = function() return { problem = "disk I/O error" } end');
		const message = policy.newMessage({
			sender: '',
			recipients: ['a@x.example'],
			headers: [],
			meta: { tenant: 'news.example.com' }
		});
		expect(policy.call('throttle_insert_ready_queue', { kind: 'message', value: message }).kind).toBe('value');
		expect(policy.observed().logs.join()).toContain('A sender rate can not be applied');
	});
});

describe('rebind_message', () => {
	const cases: [what: string, data: Record<string, string>, queue: string | undefined][] = [
		['its own id', { id: 'a1' }, 'null'],
		['another id', { id: 'a2' }, undefined],
		['no id', {}, undefined],
		['a queue of the caller’s choice', { queue: 'null' }, undefined]
	];
	it.each(cases)('with %s', async (_what, data, queue) => {
		const policy = await policyWith();
		const message = policy.newMessage({
			id: 'a1',
			sender: '',
			recipients: ['a@example.net'],
			headers: from('a@b.example')
		});
		expect(policy.call('rebind_message', { kind: 'message', value: message }, { kind: 'data', value: data }).kind).toBe(
			'value'
		);
		expect(policy.viewMessage(message).meta.queue).toBe(queue);
	});
});
