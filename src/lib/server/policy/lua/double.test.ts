import { createHmac, pbkdf2Sync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseAddressList } from './address-list.ts';
import { policyWith } from './fixture.ts';
import { isInside, isNetwork } from './network.ts';
import { verifierFor } from './revision.ts';

const prelude = `local kumo, sqlite = require 'kumo', require 'sqlite'
	local file = KUMOMTA_UI_REVISION_DIRECTORY .. '/directory.sqlite'
	local function problem(run) local ok, err = pcall(run) return ok and 'no error' or tostring(err) end\n`;

async function evaluate(chunk: string): Promise<unknown> {
	return (await policyWith()).evaluate(prelude + chunk);
}

describe('the double refuses what KumoMTA refuses', () => {
	const cases: [what: string, chunk: string, message: string][] = [
		['an unknown function', 'kumo.nonsense()', 'has no kumo.nonsense'],
		['an unknown module function', 'kumo.digest.pbkdf2()', 'has no kumo.digest.pbkdf2'],
		['an unknown module', 'require "os.fast"', "module 'os.fast' not found"],
		['debug', 'debug.getinfo(1)', 'nil value'],
		['an unknown listener parameter', 'kumo.start_esmtp_listener { listn = "x" }', 'unknown field `listn`'],
		['a parameter of another type', 'kumo.start_esmtp_listener { listen = 25 }', 'invalid type for `listen`'],
		['an empty relay_hosts', 'kumo.start_esmtp_listener { relay_hosts = {} }', 'an empty table does not parse'],
		['an empty trusted_hosts', 'kumo.start_http_listener { trusted_hosts = {} }', 'an empty table does not parse'],
		['a network with host bits', 'kumo.start_esmtp_listener { relay_hosts = { "10.0.0.1/24" } }', 'invalid network'],
		['an unknown queue parameter', 'kumo.make_queue_config { pool = "x" }', 'unknown field `pool`'],
		['a wrong protocol', 'kumo.make_queue_config { protocol = { maildir = "x" } }', 'untagged enum DeliveryProto'],
		['an unknown source parameter', 'kumo.make_egress_source { name = "x", address = "y" }', 'unknown field `address`'],
		['a source without a name', 'kumo.make_egress_source {}', 'missing field `name`'],
		['an unknown pool parameter', 'kumo.make_egress_pool { name = "x", sources = {} }', 'unknown field `sources`'],
		[
			'a path timeout that is no duration',
			'kumo.make_egress_path { idle_timeout = true }',
			'invalid type for `idle_timeout`'
		],
		[
			'a parameter newer than the oldest KumoMTA',
			'kumo.make_egress_path { treat_mx_list_as_secure = true }',
			'unknown field'
		],
		['an unknown path parameter', 'kumo.make_egress_path { fast = true }', 'unknown field `fast`'],
		[
			'an unknown listener domain parameter',
			'kumo.make_listener_domain { relay_all = true }',
			'unknown field `relay_all`'
		],
		[
			'DKIM without From',
			'kumo.dkim.rsa_sha256_signer { domain = "a", selector = "b", headers = { "To" }, key = "k" }',
			'must include From'
		],
		['a digest key as text', 'kumo.digest.hmac_sha256("secret", "m")', 'No such file'],
		['an unknown cache', 'kumo.set_lruttl_cache_capacity("x", 1)', 'could not set capacity'],
		['a memoize without a ttl', 'kumo.memoize(print, { name = "x", capacity = 1 })', 'missing field `ttl`'],
		['a boolean as SQL parameter', 'sqlite.open(file):execute("SELECT ?", true)', 'only numbers, strings and nil'],
		['a second handler', 'kumo.on("init", function() end)', 'init event already has a handler defined at'],
		['an unknown event', 'kumo.on("smtp_server_datta", print)', 'knows no event'],
		['a second shaping setup', 'require("policy-extras.shaping"):setup {}', 'already been configured'],
		['a bad throttle', 'kumo.make_throttle("x", "many")', 'invalid throttle']
	];
	it.each(cases)('%s', async (_what, chunk, message) => {
		expect(await evaluate(`return problem(function() ${chunk} end)`)).toContain(message);
	});

	it('registration inside a handler', async () => {
		const policy = await policyWith({
			custom: `local kumo = require 'kumo' kumo.on('validate_config', function() kumo.on('pre_init', print) end)`
		});
		expect(policy.call('validate_config')).toMatchObject({
			kind: 'failed',
			error: expect.stringContaining('from within the event handler') as string
		});
	});

	it.each([
		['return nil', 'failed'],
		['return', 'value'],
		['', 'value'],
		['error("x")', 'failed'],
		['require("kumo").reject(550, "x")', 'rejected']
	])('a handler that ends with %j: %s', async (body, kind) => {
		const policy = await policyWith({ custom: `require('kumo').on('smtp_server_ehlo', function() ${body} end)` });
		expect(policy.call('smtp_server_ehlo', { kind: 'text', value: 'x' }).kind).toBe(kind);
	});

	it('a header edit after signing', async () => {
		const policy = await policyWith({ custom: 'return { on_message = function(msg) SAVED = msg end }' });
		const connection = policy.newConnection({ x_purpose: 'relay' });
		const message = policy.newMessage({
			sender: 'news@example.com',
			recipients: ['a@example.net'],
			headers: [['From', 'news@example.com']]
		});
		policy.call('smtp_server_data', { kind: 'message', value: message }, { kind: 'connection', value: connection });
		expect(policy.viewMessage(message).signatures).toHaveLength(2);
		expect(policy.evaluate('return select(2, pcall(SAVED.append_header, SAVED, "X", "y"))')).toContain(
			'signature is broken'
		);
		expect(policy.evaluate('return select(2, pcall(SAVED.set_meta, SAVED, "tenant", 1))')).toContain(
			'must be a string'
		);
	});
});

describe('the double does to values what KumoMTA does', () => {
	const cases: [what: string, chunk: string, expected: unknown][] = [
		['one column without a match', 'return #sqlite.open(file):execute("SELECT key FROM sender WHERE key = ?", "x")', 0],
		[
			'several columns without a match: one empty row',
			'local r = sqlite.open(file):execute("SELECT key, value FROM sender WHERE key = ?", "x") return #r .. type(r[1]) .. tostring(next(r[1]))',
			'1tablenil'
		],
		[
			'several columns',
			'return sqlite.open(file):execute("SELECT key, 7 AS n FROM sender WHERE key = ?", "news@example.com")[1].n',
			7
		],
		[
			'a query that fails',
			'return problem(function() sqlite.open(file):execute("SELECT x FROM absent") end):match "no such.*"',
			'no such table: absent'
		],
		[
			'nil is cached',
			'local n = 0 local f = kumo.memoize(function() n = n + 1 end, { name = "a", ttl = "1 minute", capacity = 9 }) f("k") f("k") return n',
			1
		],
		[
			'false is cached',
			'local n = 0 local f = kumo.memoize(function() n = n + 1 return false end, { name = "a", ttl = 60, capacity = 9 }) f("k") return tostring(f("k")) .. n',
			'false1'
		],
		[
			'errors are cached',
			'local n = 0 local f = kumo.memoize(function() n = n + 1 error("e") end, { name = "a", ttl = 60, capacity = 9 }) pcall(f) pcall(f) return n',
			1
		],
		[
			'all arguments are the key',
			'local n = 0 local f = kumo.memoize(function() n = n + 1 return n end, { name = "a", ttl = 60, capacity = 9 }) f("a", "bc") f("ab", "c") f("a", "bc") return n',
			2
		],
		[
			'tables come back as userdata',
			'local f = kumo.memoize(function() return { 1, { 2 } } end, { name = "a", ttl = 60, capacity = 9 }) local v = f() return type(v) .. #v .. type(v[2]) .. problem(function() next(v) end):match "table expected.*"',
			'userdata2userdatatable expected, got userdata)'
		],
		[
			'a rejection loses its type',
			'local f = kumo.memoize(function() kumo.reject(550, "no") end, { name = "a", ttl = 60, capacity = 9 }) local ok, e = pcall(f) return type(e) .. e',
			'string550 no'
		],
		['whole numbers are integers', 'return math.type(kumo.serde.json_parse("{\\"n\\":300}").n)', 'integer'],
		['null is absent', 'return tostring(kumo.serde.json_parse("{\\"n\\":null}").n)', 'nil'],
		[
			'binary passes',
			'return kumo.digest.hmac_sha256({ key_data = "k\\0\\255" }, "m\\0\\10").hex',
			createHmac('sha256', Buffer.from([0x6b, 0, 255]))
				.update(Buffer.from([0x6d, 0, 10]))
				.digest('hex')
		]
	];
	it.each(cases)('%s', async (_what, chunk, expected) => {
		expect(await evaluate(chunk)).toEqual(expected);
	});

	it('ends what it caches after its time', async () => {
		const policy = await policyWith();
		policy.evaluate(`${prelude} COUNT = 0
			FUNCTION = kumo.memoize(function() COUNT = COUNT + 1 error('e') end, { name = 'a', ttl = '1 hour', capacity = 9 })`);
		for (const [seconds, count] of [
			[0, 1],
			[59, 1],
			[1, 2]
		] as const) {
			policy.clock.seconds += seconds;
			policy.evaluate('pcall(FUNCTION)');
			expect(policy.evaluate('return COUNT')).toBe(count);
		}
	});
});

describe('PBKDF2 in the program', () => {
	it.each([1, 2, 3, 100])('agrees with node:crypto at %i iterations', async (iterations) => {
		const salt = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
		const hash = pbkdf2Sync('a password of mine', salt, iterations, 32, 'sha256').toString('hex');
		const policy = await policyWith({
			rows: {
				sender: {
					'a@b.example': {
						id: 's1',
						domain: 'b.example',
						tenant: 'a',
						pool: 'main',
						salt: salt.toString('hex'),
						hash,
						iterations
					}
				}
			}
		});
		const login = (password: string) =>
			policy.call(
				'http_server_validate_auth_basic',
				{ kind: 'text', value: 'a@b.example' },
				{ kind: 'text', value: password }
			);
		expect(login('a password of mine')).toMatchObject({ value: { identities: [{ identity: 'a@b.example' }] } });
		expect(login('a password of mind')).toEqual({ kind: 'value', value: false });
	});
});

describe('a verifier that differs', () => {
	it.each([0, 15, 16, 31, 32, 47, 48, 63])('only in digit %i of its hash is another one', async (digit) => {
		const { hash, ...verifier } = verifierFor('a password of mine', 1);
		const other = hash.slice(0, digit) + (hash[digit] === '0' ? '1' : '0') + hash.slice(digit + 1);
		const sender = { id: 's1', domain: 'b.example', tenant: 'a', pool: 'main', ...verifier };
		const policy = await policyWith({
			rows: { sender: { 'a@b.example': { ...sender, hash: other }, 'c@b.example': { ...sender, hash } } }
		});
		const login = (user: string) =>
			policy.call(
				'http_server_validate_auth_basic',
				{ kind: 'text', value: user },
				{ kind: 'text', value: 'a password of mine' }
			);
		expect(login('a@b.example')).toEqual({ kind: 'value', value: false });
		expect(login('c@b.example')).toMatchObject({ value: { identities: [{ identity: 'c@b.example' }] } });
	});
});

describe('networks', () => {
	it.each([
		['192.0.2.5', '192.0.2.0/28', true],
		['192.0.2.16', '192.0.2.0/28', false],
		['192.0.2.5', '192.0.2.5', true],
		['::ffff:192.0.2.5', '192.0.2.0/28', false],
		['::ffff:192.0.2.5', '::ffff:192.0.2.0/124', true],
		['192.0.2.5', '::/0', false],
		['2001:db8::1', '2001:db8::/32', true],
		['2001:db9::1', '2001:db8::/32', false],
		['::1', '::1/128', true],
		['255.255.255.255', '255.255.255.255/32', true],
		['no address', '0.0.0.0/0', false]
	])('%s in %s: %s', (address, network, expected) => {
		expect(isInside(address, [network])).toBe(expected);
	});

	it.each([
		'10.0.0.1/24',
		'10.0.0.0/33',
		'300.0.0.0/8',
		'1.2.3',
		'',
		'x',
		'::1::',
		'2001:db8::1/32',
		'1:2:3:4:5:6:7:8:9',
		'12345::/16'
	])('%j is none', (network) => {
		expect(isNetwork(network)).toBe(false);
	});
});

describe('addresses', () => {
	it.each([
		['a@b.example', { count: 1, user: 'a', domain: 'b.example', email: 'a@b.example' }],
		['A B <a@b.example>', { user: 'a', domain: 'b.example' }],
		['"x, <y@z>" <a@b.example>', { count: 1, user: 'a' }],
		['"a b"@c.example', { user: 'a b', email: '"a b"@c.example' }],
		['"a"@c.example', { user: 'a', email: 'a@c.example' }],
		['(x (y)) a@b.example (z)', { count: 1, user: 'a' }],
		['a@b.example, c@d.example', { count: 2 }],
		['g: a@b.example, c@d.example;', { count: 1, isGroup: true }],
		['', { count: 0 }]
	])('%j', (text, expected) => {
		expect(parseAddressList(text)).toMatchObject(expected);
	});

	it.each([
		'a',
		'a@',
		'@b',
		'<a@b',
		'a@b>',
		'a@b@c',
		'a b@c',
		'a..b@c',
		'(a@b',
		'"a@b',
		'a@b c@d',
		'<a@b><c@d>',
		'a\0@b'
	])('%j fails to parse', (text) => {
		expect(parseAddressList(text)).toBeNull();
	});
});
