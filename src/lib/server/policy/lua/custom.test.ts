import { describe, expect, it } from 'vitest';
import { answer, from, loggedIn, policyWith } from './fixture.ts';

const text = (value: string) => ({ kind: 'text', value }) as const;

describe('custom.lua', () => {
	it('changes messages before they are signed', async () => {
		const custom = `return { on_message = function(msg) msg:append_header('X-Own', msg:get_meta 'tenant') end }`;
		const session = loggedIn(await policyWith({ custom }));
		session.mailFrom('news@example.com');
		session.rcptTo('a@example.net');
		const { messages } = session.data(from('news@example.com'));
		expect(messages[0]?.headers).toContainEqual(['X-Own', 'news.example.com']);
		expect(messages[0]?.signatures).toHaveLength(2);
	});

	it('may refuse a message', async () => {
		const custom = `local kumo = require 'kumo' return { on_message = function() kumo.reject(554, '5.7.1 house rule') end }`;
		const session = loggedIn(await policyWith({ custom }));
		session.mailFrom('news@example.com');
		session.rcptTo('a@example.net');
		expect(answer(session.data(from('news@example.com')))).toBe('554 5.7.1 house rule');
	});

	it('changes queues and egress paths', async () => {
		const custom = `return {
			queue_config = function(params, domain, tenant) params.max_age = domain == 'example.net' and tenant == 'x' and 60 or nil end,
			path_config = function(params, domain, source) return { connection_limit = source == 'out' and 3 or params.connection_limit } end
		}`;
		const policy = await policyWith({ custom });
		expect(policy.call('get_queue_config', text('example.net'), text('x'))).toMatchObject({
			value: { egress_pool: 'main', max_age: 60 }
		});
		expect(policy.call('get_egress_path_config', text('example.net'), text('out'), text('s'))).toEqual({
			kind: 'value',
			value: { connection_limit: 3 }
		});
	});

	it.each([
		['raises', 'function() error("oops") end'],
		['makes an unknown parameter', 'function(params) params.nonsense = 1 return params end'],
		['answers something else', 'function() return "fast" end'],
		['rejects', 'function() require("kumo").reject(550, "no") end']
	])('leaves queues and paths as they were when its hook %s', async (_what, hook) => {
		const policy = await policyWith({
			custom: `return { queue_config = ${hook}, path_config = ${hook} }`,
			world: { hasMx: () => false }
		});
		expect(policy.call('get_queue_config', text('example.net'))).toEqual({
			kind: 'value',
			value: { egress_pool: 'main', refresh_strategy: 'Epoch' }
		});
		expect(policy.call('get_egress_path_config', text('example.net'), text('out'), text('s'))).toEqual({
			kind: 'value',
			value: { refresh_strategy: 'Epoch', connection_limit: 10 }
		});
		expect(policy.observed().logs.filter((line) => line.startsWith('error custom.lua: '))).toHaveLength(2);
	});

	it('comes first where an event has several handlers', async () => {
		const custom = `local kumo = require 'kumo'
			kumo.on('get_queue_config', function(domain)
				if domain == 'own.example' then return kumo.make_queue_config { max_age = '1 hour' } end
			end)`;
		const policy = await policyWith({ custom });
		expect(policy.call('get_queue_config', text('own.example'))).toEqual({
			kind: 'value',
			value: { max_age: '1 hour' }
		});
		expect(policy.call('get_queue_config', text('example.net'))).toMatchObject({ value: { egress_pool: 'main' } });
	});

	it.each(['smtp_server_data', 'init', 'get_egress_path_config', 'smtp_server_auth_plain', 'rebind_message'])(
		'that takes %s is refused with the event’s name',
		async (event) => {
			const custom = `require('kumo').on('${event}', function() end)`;
			await expect(policyWith({ custom })).rejects.toThrow(`custom.lua takes the event ${event}`);
		}
	);

	it.each([
		['an unknown hook', 'return { on_mesage = function() end }', 'unknown hook: on_mesage'],
		['a hook that is no function', 'return { on_message = 1 }', 'on_message is no function'],
		['something else than a table', 'return 7', 'must return a table'],
		['an error', 'error("oops")', 'oops'],
		['no Lua', 'return return', 'custom.lua:1:']
	])('with %s does not load', async (_what, custom, message) => {
		await expect(policyWith({ custom })).rejects.toThrow(message);
	});

	it('without a return value only registers what it registers', async () => {
		const policy = await policyWith({ custom: `require('kumo').on('smtp_server_ehlo', function() end)` });
		expect(policy.events()).toMatchObject({ smtp_server_ehlo: 1, smtp_server_data: 1 });
	});
});
