import { describe, expect, it } from 'vitest';
import { policyWith } from './fixture.ts';
import { unstructured } from './header-text.ts';

const prelude = `local kumo, sqlite = require 'kumo', require 'sqlite'
	local file = KUMOMTA_UI_REVISION_DIRECTORY .. '/directory.sqlite'
	local function problem(run, ...) local ok, err = pcall(run, ...) return ok and 'no error' or tostring(err) end
	local function cached(run, more)
		local params = { name = 'test', ttl = '1 hour', capacity = 9 }
		for key, value in pairs(more or {}) do params[key] = value end
		return kumo.memoize(run, params)
	end\n`;

async function evaluate(chunk: string): Promise<unknown> {
	return (await policyWith()).evaluate(prelude + chunk);
}

const each = (cases: [what: string, chunk: string, expected: unknown][]) =>
	it.each(cases)('%s', async (_what, chunk, expected) => {
		expect(await evaluate(chunk)).toEqual(expected);
	});

describe('memoize', () => {
	each([
		[
			'one name is one cache, whichever function asks',
			`local f = cached(function() return 'f' end) local g = cached(function() return 'g' end) return f('k') .. g('k')`,
			'ff'
		],
		[
			'other parameters empty it',
			`local f = cached(function() return 'f' end) f('k') local g = cached(function() return 'g' end, { capacity = 8 }) return g('k')`,
			'g'
		],
		[
			'a new epoch asks again only where told so',
			`local n = 0 local f = cached(function() n = n + 1 return n end, { name = 'a', invalidate_with_epoch = true })
			local g = cached(function() n = n + 10 return n end, { name = 'b' }) f() g() DOUBLE.epoch = DOUBLE.epoch + 1 return f() .. ' ' .. g()`,
			'12 11'
		],
		[
			'more than the capacity pushes the oldest out',
			`local n = 0 local f = cached(function() n = n + 1 return n end, { capacity = 2 }) f('a') f('b') f('c') return f('a') .. f('c')`,
			'43'
		],
		[
			'several values come back as one list',
			`local a, b = cached(function() return 'x', 'y' end)() return type(a) .. a[1] .. a[2] .. tostring(b)`,
			'tablexynil'
		],
		[
			'a number and its text are two keys',
			`local n = 0 local f = cached(function() n = n + 1 return n end) f(1) return f('1')`,
			2
		],
		[
			'a change of a kept table is a copy’s',
			`local f = cached(function() return { a = 1 } end) local v = f() v.a = 2 return v.a .. f().a`,
			'21'
		],
		[
			'a kept table has pairs and counts all its keys',
			`local v = cached(function() return { 7, a = 8 } end)() local sum = 0 for _, m in pairs(v) do sum = sum + m end return sum .. ' ' .. #v`,
			'15 2'
		],
		[
			'userdata, functions and other keys can not be kept',
			`return problem(cached(function() return kumo.make_egress_pool { name = 'x' } end, { name = 'a' })) .. '|' ..
			problem(cached(function() return print end, { name = 'b' })) .. '|' .. problem(cached(function() return { [true] = 1 } end, { name = 'c' }))`,
			'memoize: a userdata can not be kept|memoize: a function can not be kept|memoize: table key true cannot be used in a memoizable table'
		],
		[
			'names of KumoMTA’s own caches are taken',
			`return problem(cached, print, { name = 'dkim_key_cache' }):match 'cannot use name'`,
			'cannot use name'
		],
		[
			'a wrong ttl fails at once',
			`return problem(cached, print, { ttl = 'soon' }):match 'invalid duration'`,
			'invalid duration'
		]
	]);

	it('keeps an error for a minute and its text is no rejection', async () => {
		const policy = await policyWith();
		policy.evaluate(`local kumo = require 'kumo' COUNT = 0
			F = kumo.memoize(function() COUNT = COUNT + 1 kumo.reject(550, 'no') end, { name = 'x', ttl = '1 second', capacity = 1 })`);
		for (const [seconds, count] of [
			[0, 1],
			[59, 1],
			[1, 2]
		] as const) {
			policy.clock.seconds += seconds;
			expect(policy.evaluate('local ok, e = pcall(F) return tostring(ok) .. type(e)')).toBe('falsestring');
			expect(policy.evaluate('return COUNT')).toBe(count);
		}
	});
});

describe('what waits is a coroutine inside', () => {
	it.each([
		['a look-up', `sqlite.open(file):execute('SELECT 1')`],
		['an HMAC', `kumo.digest.hmac_sha256({ key_data = 'k' }, 'm')`],
		['a cache', `cached(function() return 'x' end)('k')`],
		['a throttle', `kumo.make_throttle('x', '1/h'):throttle()`],
		['an MX look-up', `kumo.dns.lookup_mx('example.net')`],
		['toml_load', `kumo.serde.toml_load(KUMOMTA_UI_REVISION_DIRECTORY .. '/node.toml')`],
		['a message', `kumo.make_message('a@b.example', 'c@d.example', 'From: <a@b.example>\\r\\n\\r\\n'):from_header()`]
	])('%s works in pcall and iterators, not in gsub and sort', async (_what, call) => {
		const chunk = `local function run() ${call} end
			return problem(run) .. '|' .. problem(function() return (('ab'):gsub('.', run)) end) .. '|' ..
				problem(table.sort, { 2, 1 }, function() run() return false end) .. '|' .. problem(run)`;
		const yielded = 'attempt to yield across a C-call boundary';
		expect(await evaluate(chunk)).toMatch(new RegExp(`^no error\\|.*${yielded}\\|.*${yielded}\\|no error$`));
	});
});

describe('sqlite', () => {
	each([
		[
			'a file that is not there does not open',
			`return problem(sqlite.open, file .. 'x')`,
			'unable to open database file (code 14)'
		],
		['a number stays a number', `return sqlite.open(file):execute('SELECT typeof(?)', 7)[1]`, 'integer'],
		['text stays text', `return sqlite.open(file):execute('SELECT typeof(?)', '7')[1]`, 'text'],
		['a statement without columns answers a count', `return sqlite.open(file):execute 'PRAGMA query_only = 1'`, 0],
		[
			'writing is refused',
			`return problem(function() sqlite.open(file):execute "INSERT INTO sender VALUES ('a', 'b')" end):match 'readonly'`,
			'readonly'
		],
		[
			'a closed connection answers nothing',
			`local c = sqlite.open(file) c:close() return problem(function() c:execute 'SELECT 1' end):match 'connection was closed'`,
			'connection was closed'
		]
	]);
});

describe('throttles', () => {
	it.each(['0/h', '5/fortnight', '5/hours', '/h', '5', '', '-1/h', '5/h '])('%j is none', async (spec) => {
		expect(await evaluate(`return problem(kumo.make_throttle, 'x', '${spec}')`)).toContain('invalid throttle');
	});

	it('take their count at once and grow again evenly', async () => {
		const policy = await policyWith();
		const take = () => policy.evaluate(`return require('kumo').make_throttle('x', '2/min'):throttle().throttled`);
		expect([take(), take(), take()]).toEqual([false, false, true]);
		policy.clock.seconds += 30;
		expect([take(), take()]).toEqual([false, true]);
	});
});

describe('userdata', () => {
	const message = `local m = kumo.make_message('a@b.example', 'c@d.example', 'From: %s\\r\\nTo: x@y.example\\r\\n\\r\\n')`;
	each([
		['has type userdata', `return type(sqlite.open(file))`, 'userdata'],
		[
			'raises on an unknown field',
			`return problem(function() return sqlite.open(file).exec end):match 'unknown field'`,
			'unknown field'
		],
		[
			'takes no field',
			`return problem(function() sqlite.open(file).x = 1 end):match 'attempt to change'`,
			'attempt to change'
		],
		['has no length', `return problem(function() return #sqlite.open(file) end):match 'get length'`, 'get length'],
		[
			'has no pairs',
			`return problem(function() for _ in pairs(sqlite.open(file)) do end end):match 'got userdata'`,
			'got userdata'
		],
		['has no next', `return problem(function() next(sqlite.open(file)) end):match 'got userdata'`, 'got userdata'],
		...(
			[
				['a list', 'a@b.example, c@d.example', 'is not a simple single address'],
				['a group', 'Team: a@b.example;', 'is not a simple address'],
				['no address', '', 'no addresses']
			] as const
		).map(([what, from, problem]): [string, string, unknown] => [
			`of a From that is ${what} raises when read`,
			`${message.replace('%s', from)} local h = m:from_header() return problem(function() return h.email end)`,
			problem
		]),
		[
			'of a From that does not parse raises at once',
			`${message.replace('%s', 'a@')} return problem(m.from_header, m):match 'failed to parse header From'`,
			'failed to parse header From'
		],
		[
			'of a From that is missing is nil',
			`local m = kumo.make_message('a@b.example', 'c@d.example', 'To: x@y.example\\r\\n\\r\\n') return tostring(m:from_header())`,
			'nil'
		]
	]);

	it.each([
		['news@Example.com', 'news', 'Example.com', 'news@Example.com'],
		['', '', '', ''],
		['POSTMASTER', 'postmaster', '', 'Postmaster'],
		['"a\\"b c"@d.example', 'a"b c', 'd.example', '"a\\"b c"@d.example'],
		['"a@b"@c.example', 'a@b', 'c.example', '"a@b"@c.example']
	])('of the envelope address %j', async (address, user, domain, email) => {
		const policy = await policyWith();
		policy.evaluate(
			"DOUBLE.events = {} DOUBLE.on('smtp_server_mail_from', function(a) return { a.user, a.domain, a.email } end)"
		);
		expect(policy.call('smtp_server_mail_from', { kind: 'address', value: address })).toEqual({
			kind: 'value',
			value: [user, domain, email]
		});
	});
});

describe('toml_load and json_parse', () => {
	each([
		[
			'an empty list is an empty table',
			`return #kumo.serde.toml_load(KUMOMTA_UI_REVISION_DIRECTORY .. '/node.toml').pool.gone.entries`,
			0
		],
		[
			'a file that is not there raises',
			`return problem(kumo.serde.toml_load, '/nowhere.toml'):match 'no such file'`,
			'no such file'
		],
		['text that is no JSON raises', `return problem(kumo.serde.json_parse, '{') ~= 'no error'`, true],
		[
			'the old name of toml_load is not there',
			`return problem(function() kumo.toml_load('x') end):match 'has no kumo.toml_load'`,
			'has no kumo.toml_load'
		]
	]);
});

describe('unstructured header values', () => {
	it.each([
		['plain', 'plain'],
		['=?utf-8?q?a=C3=A9_b?=', 'aé b'],
		['=?UTF-8?B?w6k=?= x', 'é x'],
		['=?utf-8?q?a?= =?utf-8?q?b?=', 'ab'],
		['=?iso-8859-1?q?=E9?=', 'é'],
		['=?nonsense?q?a?=', '=?nonsense?q?a?='],
		['=?utf-8?q?=FF?=', '=?utf-8?q?=FF?='],
		['=?utf-8?x?a?=', '=?utf-8?x?a?=']
	])('%j is %j', (value, decoded) => {
		expect(unstructured(value)).toBe(decoded);
	});

	it('are what the accessors answer', async () => {
		expect(
			await evaluate(
				`local m = kumo.make_message('a@b.example', 'c@d.example', 'X-Job: =?utf-8?q?spring?=\\r\\n\\r\\n')
				return m:get_all_named_header_values('x-job')[1] .. m:get_first_named_header_value('X-JOB')`
			)
		).toBe('springspring');
	});
});
