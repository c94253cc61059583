import { afterAll, describe, expect, it } from 'vitest';
import { startDnsDouble } from '../../../../tests/support/dns-double.ts';
import type { DnsDouble, DnsEntry } from '../../../../tests/support/dns-double.ts';
import { createResolver } from './resolver.ts';

const open: DnsDouble[] = [];
afterAll(() => Promise.all(open.map((double) => double.close())));

async function zone(table: Record<string, DnsEntry>, isStrict = false) {
	const double = await startDnsDouble(table, { isStrict });
	open.push(double);
	return { double, lookup: createResolver({ servers: [double.address], timeoutMs: 2000 }) };
}

describe('answers', () => {
	it('joins the strings of a TXT record and keeps records apart', async () => {
		const { lookup } = await zone({ 'a.example': { TXT: [['v=spf1 ', '-all'], 'other'] } });
		expect(await lookup.txt('a.example')).toEqual({ state: 'found', values: ['v=spf1 -all', 'other'] });
	});

	it('gives bytes as characters', async () => {
		const { lookup } = await zone({ 'a.example': { TXT: ['a\0\n\xff'] } });
		expect(await lookup.txt('a.example')).toEqual({ state: 'found', values: ['a\0\n\xff'] });
	});

	it('asks again over TCP when the answer was cut', async () => {
		const text = 'x'.repeat(200);
		const { lookup, double } = await zone({ 'a.example': { TXT: [text], isTcpOnly: true } });
		expect(await lookup.txt('a.example')).toEqual({ state: 'found', values: [text] });
		expect(double.queries).toEqual(['TXT a.example udp', 'TXT a.example tcp']);
	});

	it('reads answers that no datagram holds', async () => {
		const texts = Array.from({ length: 30 }, (_, index) => String(index).padEnd(250, 'y'));
		const { lookup, double } = await zone({ 'a.example': { TXT: texts } });
		expect(await lookup.txt('a.example')).toEqual({ state: 'found', values: texts });
		expect(double.queries.at(-1)).toBe('TXT a.example tcp');
	});

	it('knows MX, A, AAAA and PTR, lower case and without trailing dots', async () => {
		const { lookup } = await zone({
			'a.example': { MX: ['10 Mail.Example.NET'], A: ['192.0.2.1'], AAAA: ['2001:db8:0:0:0:0:0:1'] },
			'1.2.0.192.in-addr.arpa': { PTR: ['Out1.Example.net'] }
		});
		expect(await lookup.mx('a.example')).toEqual({
			state: 'found',
			values: [{ priority: 10, exchange: 'mail.example.net' }]
		});
		expect(await lookup.a('a.example')).toEqual({ state: 'found', values: ['192.0.2.1'] });
		expect(await lookup.aaaa('a.example')).toEqual({ state: 'found', values: ['2001:db8::1'] });
		expect(await lookup.ptr('1.2.0.192.in-addr.arpa')).toEqual({ state: 'found', values: ['out1.example.net'] });
	});

	it('follows an alias, also in the reverse tree (RFC 2317)', async () => {
		const { lookup } = await zone({
			'key._domainkey.a.example': { CNAME: 'key.host.example' },
			'key.host.example': { TXT: ['p=abc'] },
			'1.2.0.192.in-addr.arpa': { CNAME: '1.0-7.2.0.192.in-addr.arpa' },
			'1.0-7.2.0.192.in-addr.arpa': { PTR: ['out1.example.net'] }
		});
		expect(await lookup.txt('key._domainkey.a.example')).toEqual({ state: 'found', values: ['p=abc'] });
		expect(await lookup.ptr('1.2.0.192.in-addr.arpa')).toEqual({ state: 'found', values: ['out1.example.net'] });
	});

	it('notes a question it was not told about', async () => {
		const { lookup, double } = await zone({}, true);
		expect(await lookup.a('a.example')).toEqual({ state: 'failed', reason: 'server' });
		expect(new Set(double.unexpected)).toEqual(new Set(['A a.example']));
	});
});

describe('no answer is not the answer no', () => {
	it.each<[string, DnsEntry | undefined, object]>([
		['NXDOMAIN', undefined, { state: 'none', reason: 'no-name' }],
		['NODATA', { A: ['192.0.2.1'] }, { state: 'none', reason: 'no-data' }],
		['SERVFAIL', { rcode: 'SERVFAIL' }, { state: 'failed', reason: 'server' }],
		['REFUSED', { rcode: 'REFUSED' }, { state: 'failed', reason: 'server' }]
	])('%s', async (_, entry, expected) => {
		const { lookup } = await zone(entry === undefined ? {} : { 'a.example': entry });
		expect(await lookup.txt('a.example')).toEqual(expected);
	});

	it('gives up after the time for one look-up', async () => {
		const double = await startDnsDouble({ 'a.example': { isSilent: true } });
		open.push(double);
		const lookup = createResolver({ servers: [double.address], timeoutMs: 400 });
		expect(await lookup.txt('a.example')).toEqual({ state: 'failed', reason: 'timeout' });
	});

	it('starts nothing after the time for all of them', async () => {
		const double = await startDnsDouble({ 'a.example': { TXT: ['x'] } });
		open.push(double);
		const lookup = createResolver({ servers: [double.address], timeoutMs: 400, totalMs: 0 });
		expect(await lookup.txt('a.example')).toEqual({ state: 'failed', reason: 'timeout' });
		expect(double.queries).toEqual([]);
	});

	it('says so when nothing listens there', async () => {
		const double = await startDnsDouble({});
		await double.close();
		const lookup = createResolver({ servers: [double.address], timeoutMs: 1000 });
		expect((await lookup.txt('a.example')).state).toBe('failed');
	});
});

it('keeps to the number of look-ups at once, and answers all', async () => {
	const table = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`n${n}.example`, { A: [`192.0.2.${n}`] }]));
	const double = await startDnsDouble(table);
	open.push(double);
	const lookup = createResolver({ servers: [double.address], timeoutMs: 2000, parallel: 1 });
	const answers = await Promise.all(Object.keys(table).map((name) => lookup.a(name)));
	expect(answers).toEqual(Object.values(table).map(({ A }) => ({ state: 'found', values: A })));
	expect(double.queries).toEqual(Object.keys(table).map((name) => `A ${name} udp`));
});

describe('servers', () => {
	it.each(['192.0.2.53', '192.0.2.53:5353', '[2001:db8::53]:5353', '2001:db8::53'])('takes %s', (server) => {
		expect(() => createResolver({ servers: [server], timeoutMs: 1000 })).not.toThrow();
	});

	it.each(['192.0.2.53:99999', 'dns.example.net', ''])('refuses %j in words', (server) => {
		expect(() => createResolver({ servers: [server], timeoutMs: 1000 })).toThrow('Correct the resolvers in Settings');
	});
});
