import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { policyWith, rows } from './fixture.ts';
import { buildDirectory, buildRevision } from './revision.ts';
import { openPolicy } from './vm.ts';
import type { BuiltRevision } from './revision.ts';

describe('pre_init and init', () => {
	it('start what node.toml says and nothing else', async () => {
		const policy = await policyWith({
			node: { tls: { certificate: '/t/fullchain.pem', private_key: '/t/privkey.pem' }, monitor_globs: ['/etc/x/*.lua'] }
		});
		const tls = { hostname: 'mx.example.com', tls_certificate: '/t/fullchain.pem', tls_private_key: '/t/privkey.pem' };
		const nobody = ['255.255.255.255/32'];
		expect(policy.configured('start_esmtp_listener')).toEqual([
			{ ...tls, listen: '0.0.0.0:25', relay_hosts: nobody, meta: { x_purpose: 'inbound' } },
			{ ...tls, listen: '0.0.0.0:587', relay_hosts: nobody, meta: { x_purpose: 'submission' } },
			{ ...tls, listen: '0.0.0.0:2525', relay_hosts: ['192.0.2.0/28'], meta: { x_purpose: 'relay' } }
		]);
		expect(policy.configured('define_spool')).toEqual(
			['data', 'meta'].map((name) => ({
				name,
				path: `/var/spool/kumomta/${name}`,
				kind: 'RocksDB',
				min_free_space: '10%',
				min_free_inodes: '10%'
			}))
		);
		expect(policy.configured('configure_local_logs')).toEqual([
			{
				log_dir: '/var/log/kumomta',
				max_segment_duration: '10 seconds',
				meta: ['tenant', 'campaign', 'x_*'],
				per_record: { Delayed: { enable: false } }
			}
		]);
		expect(policy.configured('configure_log_disposition_hook')).toEqual([
			{
				name: 'kumomta_ui',
				per_record: { Any: { enable: false }, Bounce: { enable: true }, Expiration: { enable: true } }
			}
		]);
		expect(policy.configured('configure_bounce_classifier')).toEqual([
			{ files: ['/opt/kumomta/share/bounce_classifier/iana.toml'] }
		]);
		expect(policy.configured('start_http_listener')).toEqual([
			{ listen: '127.0.0.1:8000', hostname: 'mx.example.com', trusted_hosts: ['127.0.0.1', '::1'] }
		]);
		expect(policy.configured('set_config_monitor_globs')[0]).toEqual([
			expect.stringMatching(/\/init\.lua$/),
			'/etc/x/*.lua'
		]);
		expect(policy.configured('dkim_signer_cache')).toEqual([{ capacity: 1024 }]);
		expect(policy.configured('dkim_key_cache')).toEqual([{ capacity: 1024 }]);
	});

	it.each([
		['0.0.0.0', ['192.0.2.0/24', '2001:db8::/32'], '0.0.0.0:26', ['192.0.2.0/24', '2001:db8::/32']],
		['::', ['192.0.2.0/24', '2001:db8::/32'], '[::]:26', ['192.0.2.0/24', '::ffff:192.0.2.0/120', '2001:db8::/32']],
		['::', [], '[::]:26', ['255.255.255.255/32']],
		['2001:db8::1', [], '[2001:db8::1]:26', ['255.255.255.255/32']]
	])('a relay listener on %s with %j', async (address, relayHosts, listen, expected) => {
		const policy = await policyWith({
			node: { listener: [{ address, port: 26, purpose: 'relay' }], relay_hosts: relayHosts }
		});
		expect(policy.configured('start_esmtp_listener')).toMatchObject([{ listen, relay_hosts: expected }]);
	});

	it('leaves out what Settings do not say', async () => {
		const policy = await policyWith({ node: { hostname: '', relay_hosts: undefined, monitor_globs: undefined } });
		expect(policy.configured('start_esmtp_listener')[2]).toEqual({
			listen: '0.0.0.0:2525',
			relay_hosts: ['255.255.255.255/32'],
			meta: { x_purpose: 'relay' }
		});
	});

	it('registers each of its events once', async () => {
		const { events } = await policyWith();
		const { get_queue_config: queueHandlers, should_enqueue_log_record: _shaping, ...own } = events();
		expect(queueHandlers).toBe(2);
		expect(Object.keys(own).sort()).toEqual([
			'get_acl_definition',
			'get_egress_path_config',
			'get_egress_pool',
			'get_egress_source',
			'get_listener_domain',
			'http_message_generated',
			'http_server_validate_auth_basic',
			'init',
			'log_disposition_kumomta_ui',
			'pre_init',
			'rebind_message',
			'smtp_server_auth_plain',
			'smtp_server_connection_accepted',
			'smtp_server_data',
			'smtp_server_mail_from',
			'smtp_server_message_received',
			'smtp_server_rcpt_to',
			'throttle_insert_ready_queue',
			'validate_config'
		]);
		expect(new Set(Object.values(own))).toEqual(new Set([1]));
	});
});

describe('loading', () => {
	let built: BuiltRevision;
	afterEach(() => built.remove());

	it.each([
		['2026.03.04-bb93ecb1', null],
		['2026.06.23-f3af1cd0', null],
		['2026.03.03-bb93ecb1', /KumoMTA 2026\.03\.03 is too old/],
		['2025.12.02-67ee9e96', /KumoMTA 2025\.12\.02 is too old/]
	])('under KumoMTA %s', async (version, refusal) => {
		built = buildRevision({ rows });
		const opening = openPolicy(built.directory, { version });
		if (refusal !== null) return expect(opening).rejects.toThrow(refusal);
		return (await opening).close();
	});

	it.each([
		['another format', { format: 2 }, /node\.toml has another format/],
		['another revision', { revision: '13-0a1b2c3d4e5f' }, /node\.toml belongs to another revision/]
	])('refuses %s', async (_what, node, message) => {
		built = buildRevision({ rows, node });
		await expect(openPolicy(built.directory)).rejects.toThrow(message);
	});

	it('refuses a directory whose name would be Lua', async () => {
		built = buildRevision({ rows });
		await expect(openPolicy(`${built.directory}' .. x .. '`)).rejects.toThrow('may not stand in Lua');
	});

	it.each(['node.toml', 'shaping.toml'])('refuses a revision without %s', async (name) => {
		built = buildRevision({ rows });
		rmSync(join(built.directory, name));
		await expect(openPolicy(built.directory)).rejects.toThrow();
	});
});

describe('validate_config', () => {
	let built: BuiltRevision;
	afterEach(() => built.remove());

	async function validate(
		change: (directory: string) => void = () => undefined,
		node: Record<string, unknown> = {},
		custom?: string
	) {
		built = buildRevision({ rows, node, keys: ['example.com/s1'], ...(custom === undefined ? {} : { custom }) });
		change(built.directory);
		const policy = await openPolicy(built.directory);
		const outcome = policy.call('validate_config');
		const { failed, printed } = policy.observed();
		policy.close();
		expect(outcome).toEqual({ kind: 'value', value: undefined });
		return { failed, printed: printed.join('\n') };
	}
	const key = (selector: string) => ({ probe_key: [{ domain: 'example.com', selector }] });

	it('passes a whole revision', async () => {
		expect(await validate(undefined, key('s1'))).toEqual({ failed: false, printed: '' });
	});

	it('passes an empty directory', async () => {
		const empty = (directory: string) => {
			rmSync(join(directory, 'directory.sqlite'));
			buildDirectory(join(directory, 'directory.sqlite'), {});
		};
		expect(await validate(empty)).toEqual({ failed: false, printed: '' });
	});

	it.each([
		['no directory', (directory: string) => rmSync(join(directory, 'directory.sqlite')), {}, 'directory.sqlite'],
		[
			'an empty file',
			(directory: string) => writeFileSync(join(directory, 'directory.sqlite'), ''),
			{},
			'has format 0'
		],
		[
			'no database',
			(directory: string) => writeFileSync(join(directory, 'directory.sqlite'), 'not a database '.repeat(100)),
			{},
			'directory.sqlite'
		],
		[
			'a pool without its source',
			undefined,
			{ pool: { main: { entries: [{ name: 'lost', weight: 1 }] } } },
			'pool main names the absent source lost'
		],
		['an unreadable new key', undefined, key('absent'), 'DKIM key absent of example.com']
	])('fails with %s and says so', async (_what, change, node, message) => {
		const result = await validate(change, node);
		expect(result.failed).toBe(true);
		expect(result.printed).toContain(message);
	});

	it('fails on a hook that makes an unknown parameter', async () => {
		const custom = 'return { queue_config = function(params) params.max_messages_rate = "1/s" return params end }';
		const result = await validate(undefined, {}, custom);
		expect(result).toMatchObject({ failed: true });
		expect(result.printed).toContain('unknown field `max_messages_rate`');
	});
});
