import { afterAll, describe, expect, it } from 'vitest';
import { startDnsDouble } from '../../../../tests/support/dns-double.ts';
import type { DnsDouble, DnsEntry } from '../../../../tests/support/dns-double.ts';
import { checkRecords } from './check.ts';
import { expectedRecords } from './records.ts';
import type { ExpectedInput } from './records.ts';
import { createResolver } from './resolver.ts';

const open: DnsDouble[] = [];
afterAll(() => Promise.all(open.map((double) => double.close())));

const input: ExpectedInput = {
	domain: { name: 'news.example', bounceHost: 'bounce.news.example', dmarc: { policy: 'quarantine' } },
	keys: [{ id: 'k1', selector: 's1', algorithm: 'ed25519', publicKey: 'QUJD', state: 'pending' }],
	sources: [{ id: 'a1', address: '203.0.113.25', publicAddress: null, ehloDomain: 'out1.example.net' }],
	hostname: 'mta1.example.net'
};

const right: Record<string, DnsEntry> = {
	'news.example': { TXT: ['v=spf1 ip4:203.0.113.25 ~all'], MX: ['10 mx.elsewhere.example'] },
	'bounce.news.example': { TXT: ['v=spf1 ip4:203.0.113.25 ~all'], MX: ['10 mta1.example.net'] },
	's1._domainkey.news.example': { TXT: ['v=DKIM1; k=ed25519; p=QUJD'] },
	'_dmarc.news.example': { TXT: ['v=DMARC1; p=quarantine'] },
	'mta1.example.net': { A: ['203.0.113.10'] },
	'out1.example.net': { A: ['198.51.100.9', '203.0.113.25'] },
	'25.113.0.203.in-addr.arpa': { PTR: ['out1.example.net'] }
};

async function checkedAgainst(table: Record<string, DnsEntry>) {
	const double = await startDnsDouble(table);
	open.push(double);
	const records = await checkRecords(
		expectedRecords(input),
		createResolver({ servers: [double.address], timeoutMs: 2000 })
	);
	return { records, get: (id: string) => records.find((record) => record.id === id) };
}

/** One record looked at, with other names of the zone as given. */
async function checked(id: string, changes: Record<string, DnsEntry>) {
	return (await checkedAgainst({ ...right, ...changes })).get(id);
}

it('finds everything right, with several addresses and foreign records around (D-143)', async () => {
	const { records } = await checkedAgainst(right);
	expect(records.map(({ id, status }) => `${id} ${status}`)).toEqual(
		expectedRecords(input).map(({ id }) => `${id} ok`)
	);
});

it('finds everything missing in an empty world', async () => {
	const { records } = await checkedAgainst({});
	expect(new Set(records.map(({ status }) => status))).toEqual(new Set(['missing']));
	for (const { found, advice } of records) {
		expect(found).toEqual([]);
		expect(advice).toMatch(/Publish this record\.$/);
	}
});

it('never takes a failing name server for a missing record (D-147)', async () => {
	const failing = Object.fromEntries(Object.keys(right).map((name) => [name, { rcode: 'SERVFAIL' as const }]));
	const { records } = await checkedAgainst(failing);
	expect(new Set(records.map(({ status }) => status))).toEqual(new Set(['unknown']));
});

describe('text from a hostile zone', () => {
	const evil = 'v=spf1 \x1b[31m\u00e2\u0080\u00ae\r\nSet-Cookie: x <script> \\" -all';

	it('comes out in printable ASCII', async () => {
		const record = await checked('spf', { 'news.example': { TXT: [evil] } });
		expect(record?.status).toBe('mismatch');
		expect(record?.found).toEqual(['v=spf1 \\027[31m\\226\\128\\174\\013\\010Set-Cookie: x <script> \\\\" -all']);
		expect([record?.value, record?.advice, record?.zone].join('')).toMatch(/^[\x20-\x7e]*$/);
	});

	it('is cut when it is over-long, and so is a list of many', async () => {
		const many = Array.from({ length: 30 }, (_, n) => [`v=DMARC1; n${n}=`, ...Array<string>(5).fill('x'.repeat(250))]);
		const record = await checked('dmarc', { '_dmarc.news.example': { TXT: many } });
		expect(record).toMatchObject({ status: 'mismatch', advice: expect.stringContaining('30 DMARC records') });
		expect(record?.found).toHaveLength(21);
		expect(record?.found.at(-1)).toBe('(10 more)');
		for (const text of record?.found ?? []) expect(text.length).toBeLessThan(1100);
	});

	it('cannot smuggle names through MX and PTR', async () => {
		const mx = await checked('mx-bounce', { 'bounce.news.example': { MX: ['10 evil\x1b\n<b>.example'] } });
		const ptr = await checked('ptr-a1', { '25.113.0.203.in-addr.arpa': { PTR: ['evil\x1b\n<b>.example'] } });
		for (const record of [mx, ptr]) {
			expect(record?.status).not.toBe('ok');
			expect(record?.found.join('')).toMatch(/^[\x20-\x7e]*$/);
			expect(record?.advice).not.toContain('evil');
		}
	});
});

describe('spf', () => {
	const includes = (count: number) => Array.from({ length: count }, (_, n) => `include:s${n}.example`).join(' ');
	const zoneOf = (count: number) =>
		Object.fromEntries(
			Array.from({ length: count }, (_, n) => [`s${n}.example`, { TXT: ['v=spf1 ip4:192.0.2.1 -all'] }])
		);

	it.each<[string, (string | string[])[], Record<string, DnsEntry>, object]>([
		[
			'through an include, value as published',
			['v=spf1 include:s0.example -all'],
			{ 's0.example': { TXT: ['v=spf1 ip4:203.0.113.0/24 -all'] } },
			{ status: 'ok', value: 'v=spf1 include:s0.example -all', advice: '1 of 10 look-ups used.' }
		],
		['through a', ['v=spf1 a:out1.example.net -all'], {}, { status: 'ok' }],
		['through mx', ['v=spf1 mx/24 -all'], { 'mx.elsewhere.example': { A: ['203.0.113.200'] } }, { status: 'ok' }],
		['through exists', ['v=spf1 exists:out1.example.net -all'], {}, { status: 'ok' }],
		[
			'through a redirect',
			['v=spf1 redirect=s0.example'],
			{ 's0.example': { TXT: ['v=spf1 ip4:203.0.113.25 -all'] } },
			{ status: 'ok' }
		],
		[
			'through a name with an alias, in several strings',
			['v=spf1 include:alias.example -all'],
			{ 'alias.example': { CNAME: 's0.example' }, 's0.example': { TXT: [['v=spf1 ip4:203.0', '.113.25 -all']] } },
			{ status: 'ok' }
		],
		[
			'redirect is ignored beside all',
			['v=spf1 redirect=s0.example -all'],
			{ 's0.example': { TXT: ['v=spf1 ip4:203.0.113.25 -all'] } },
			{ status: 'mismatch', value: 'v=spf1 ip4:203.0.113.25 -all' }
		],
		[
			'not in it',
			['v=spf1 include:s0.example -all'],
			zoneOf(1),
			{
				status: 'mismatch',
				value: 'v=spf1 ip4:203.0.113.25 include:s0.example -all',
				advice: expect.stringContaining('does not let 203.0.113.25 send')
			}
		],
		[
			'a fail inside an include is no match',
			['v=spf1 include:s0.example ip4:203.0.113.25 -all'],
			{ 's0.example': { TXT: ['v=spf1 -ip4:203.0.113.25 +ip4:192.0.2.1 -all'] } },
			{ status: 'ok' }
		],
		[
			'refused before it is let in',
			['v=spf1 -ip4:203.0.113.0/24 ip4:203.0.113.25 -all'],
			{},
			{ status: 'mismatch', value: 'v=spf1 ip4:203.0.113.25 -ip4:203.0.113.0/24 -all' }
		],
		[
			'two records',
			['v=spf1 mx -all', 'v=spf1 include:s0.example ~all'],
			zoneOf(1),
			{
				status: 'mismatch',
				value: 'v=spf1 ip4:203.0.113.25 mx include:s0.example -all',
				advice: expect.stringContaining('Found 2 SPF records')
			}
		],
		[
			'other text only',
			['google-site-verification=x'],
			{},
			{ status: 'missing', found: [], value: 'v=spf1 ip4:203.0.113.25 ~all' }
		],
		[
			'the whole world',
			['v=spf1 +all'],
			{},
			{ status: 'mismatch', value: 'v=spf1 ip4:203.0.113.25 ~all', advice: expect.stringContaining('whole world') }
		],
		[
			'the whole world, by an include',
			['v=spf1 ip4:203.0.113.25 include:s0.example -all'],
			{ 's0.example': { TXT: ['v=spf1 all'] } },
			{ status: 'mismatch', advice: expect.stringContaining('s0.example says +all') }
		],
		[
			'ten look-ups',
			[`v=spf1 ${includes(10)} ip4:203.0.113.25 -all`],
			zoneOf(10),
			{ status: 'ok', advice: '10 of 10 look-ups used.' }
		],
		[
			'twelve includes',
			[[`v=spf1 ip4:203.0.113.25 ${includes(5)} `, `${includes(12).split(' ').slice(5).join(' ')} -all`]],
			zoneOf(12),
			{ status: 'mismatch', advice: expect.stringContaining('more than 10 DNS look-ups') }
		],
		[
			'a loop',
			['v=spf1 include:s0.example -all'],
			{ 's0.example': { TXT: ['v=spf1 include:news.example -all'] } },
			{ status: 'mismatch', advice: expect.stringContaining('loop') }
		],
		[
			'itself',
			['v=spf1 include:NEWS.example -all'],
			{},
			{ status: 'mismatch', advice: expect.stringContaining('loop') }
		],
		[
			'an include of nothing',
			['v=spf1 ip4:203.0.113.25 include:gone.example -all'],
			{},
			{ status: 'mismatch', advice: expect.stringContaining('gone.example, which has no SPF record') }
		],
		[
			'an include with two records',
			['v=spf1 include:s0.example -all'],
			{ 's0.example': { TXT: ['v=spf1 a', 'v=spf1 mx'] } },
			{ status: 'mismatch', advice: expect.stringContaining('2 SPF records') }
		],
		[
			'three look-ups that find nothing',
			['v=spf1 ip4:203.0.113.25 a:x1.example a:x2.example exists:x3.example -all'],
			{},
			{ status: 'mismatch', advice: expect.stringContaining('find nothing') }
		],
		[
			'two look-ups that find nothing',
			['v=spf1 ip4:203.0.113.25 a:x1.example a:x2.example -all'],
			{},
			{ status: 'ok' }
		],
		[
			'a syntax error',
			['v=spf1 ip4:203.0.113.25 -all;'],
			{},
			{ status: 'mismatch', value: 'v=spf1 ip4:203.0.113.25', advice: expect.stringContaining('not well formed') }
		],
		[
			'macros are counted, not followed',
			['v=spf1 ip4:203.0.113.25 exists:%{i}.x.example -all'],
			{},
			{ status: 'ok', advice: 'At least 1 of 10 look-ups used.' }
		],
		[
			'an include that fails, when it decides',
			['v=spf1 include:s0.example -all'],
			{ 's0.example': { rcode: 'SERVFAIL' } },
			{ status: 'unknown', value: 'v=spf1 ip4:203.0.113.25 include:s0.example -all' }
		],
		[
			'an include that fails, when it does not',
			['v=spf1 ip4:203.0.113.25 include:s0.example -all'],
			{ 's0.example': { rcode: 'SERVFAIL' } },
			{ status: 'ok', advice: 'At least 1 of 10 look-ups used.' }
		],
		[
			'an include that fails, before what lets in',
			['v=spf1 include:s0.example ip4:203.0.113.25 -all'],
			{ 's0.example': { rcode: 'SERVFAIL' } },
			{ status: 'unknown' }
		],
		['no all', ['v=spf1 ip4:203.0.113.25'], {}, { status: 'ok', advice: expect.stringContaining('neutral') }],
		['upper case', ['V=SPF1 IP4:203.0.113.25 -ALL'], {}, { status: 'ok' }]
	])('%s', async (_, TXT, more, expected) => {
		const record = await checked('spf', { ...more, 'news.example': { ...right['news.example'], TXT } });
		expect(record).toMatchObject(expected);
	});

	it('warns of a value that is too long for a datagram', async () => {
		const networks = Array.from({ length: 40 }, (_, n) => `ip4:198.51.100.${n}`);
		const strings = [
			[
				'v=spf1 ip4:203.0.113.25 ',
				`${networks.slice(0, 13).join(' ')} `,
				`${networks.slice(13, 26).join(' ')} `,
				`${networks.slice(26, 39).join(' ')} -all`
			]
		];
		const record = await checked('spf', { 'news.example': { TXT: strings } });
		expect(record).toMatchObject({ status: 'ok', advice: expect.stringContaining('bytes long') });
		expect(record?.parts.length).toBeGreaterThan(1);
	});
});

describe('other records', () => {
	it.each<[string, string, Record<string, DnsEntry>, object]>([
		[
			'two keys under a selector',
			'dkim-k1',
			{ 's1._domainkey.news.example': { TXT: ['v=DKIM1; k=ed25519; p=QUJD', 'x'] } },
			{ status: 'mismatch' }
		],
		[
			'another key',
			'dkim-k1',
			{ 's1._domainkey.news.example': { TXT: ['v=DKIM1; k=ed25519; p=QUJE'] } },
			{ status: 'mismatch', found: ['v=DKIM1; k=ed25519; p=QUJE'] }
		],
		[
			'a key in several strings',
			'dkim-k1',
			{ 's1._domainkey.news.example': { TXT: [['v=DKIM1; k=ed', '25519; p=QU', 'JD']] } },
			{ status: 'ok' }
		],
		[
			'a testing key',
			'dkim-k1',
			{ 's1._domainkey.news.example': { TXT: ['k=ed25519; t=y; p=QUJD'] } },
			{ status: 'ok', advice: expect.stringContaining('t=y') }
		],
		[
			'a weaker policy',
			'dmarc',
			{ '_dmarc.news.example': { TXT: ['v=DMARC1; p=none'] } },
			{ status: 'mismatch', advice: expect.stringContaining('Found p=none. Mail that fails is delivered today.') }
		],
		[
			'two policies',
			'dmarc',
			{ '_dmarc.news.example': { TXT: ['v=DMARC1; p=none', 'v=DMARC1; p=quarantine'] } },
			{ status: 'mismatch' }
		],
		[
			'text that is no policy',
			'dmarc',
			{ '_dmarc.news.example': { TXT: ['wildcard'] } },
			{ status: 'missing', found: ['wildcard'] }
		],
		[
			'another MX',
			'mx-bounce',
			{ 'bounce.news.example': { MX: ['10 mx.other.example'] } },
			{ status: 'mismatch', found: ['10 mx.other.example.'] }
		],
		['a null MX', 'mx-bounce', { 'bounce.news.example': { MX: ['0 '] } }, { status: 'mismatch', found: ['0 .'] }],
		[
			'another MX before ours',
			'mx-bounce',
			{ 'bounce.news.example': { MX: ['5 mx.other.example', '10 mta1.example.net'] } },
			{ status: 'mismatch', advice: expect.stringContaining('some bounces') }
		],
		[
			'another MX beside ours',
			'mx-bounce',
			{ 'bounce.news.example': { MX: ['10 mx.other.example', '10 mta1.example.net'] } },
			{ status: 'mismatch' }
		],
		[
			'another MX behind ours',
			'mx-bounce',
			{ 'bounce.news.example': { MX: ['50 mx.other.example', '20 mta1.example.net'] } },
			{ status: 'ok' }
		],
		[
			'an MX without address',
			'mx-bounce',
			{ 'mta1.example.net': { TXT: ['x'] } },
			{ status: 'mismatch', advice: expect.stringContaining('no A or AAAA') }
		],
		[
			'an MX whose address is not known',
			'mx-bounce',
			{ 'mta1.example.net': { rcode: 'SERVFAIL' } },
			{ status: 'unknown' }
		],
		[
			'another address',
			'address-a1',
			{ 'out1.example.net': { A: ['198.51.100.9'] } },
			{ status: 'mismatch', found: ['198.51.100.9'] }
		],
		[
			'another reverse name',
			'ptr-a1',
			{ '25.113.0.203.in-addr.arpa': { PTR: ['static.isp.example'] } },
			{ status: 'mismatch', found: ['static.isp.example.'] }
		],
		[
			'a reverse name that does not lead back',
			'ptr-a1',
			{ 'out1.example.net': { A: ['198.51.100.9'] } },
			{ status: 'mismatch', advice: expect.stringContaining('does not lead back') }
		],
		[
			'a reverse name whose way back is not known',
			'ptr-a1',
			{ 'out1.example.net': { rcode: 'SERVFAIL' } },
			{ status: 'unknown' }
		],
		[
			'several reverse names',
			'ptr-a1',
			{ '25.113.0.203.in-addr.arpa': { PTR: ['x.example', 'out1.example.net'] } },
			{ status: 'ok', advice: expect.stringContaining('several') }
		]
	])('%s', async (_, id, changes, expected) => expect(await checked(id, changes)).toMatchObject(expected));
});
