import { describe, expect, it } from 'vitest';
import { dnsNotes } from './notes.ts';
import { expectedRecords } from './records.ts';
import type { ExpectedInput } from './records.ts';

const input: ExpectedInput = {
	domain: {
		name: 'news.example',
		bounceHost: 'bounce.news.example',
		dmarc: { policy: 'none', aggregateReports: 'd@reports.example' }
	},
	keys: [
		{ id: 'k1', selector: 's1', algorithm: 'rsa-2048', publicKey: 'A'.repeat(392), state: 'active' },
		{ id: 'k2', selector: 's2', algorithm: 'ed25519', publicKey: 'BBBB', state: 'pending' },
		{ id: 'k3', selector: 's3', algorithm: 'ed25519', publicKey: 'CCCC', state: 'retiring' },
		{ id: 'k4', selector: 's4', algorithm: 'ed25519', publicKey: 'DDDD', state: 'retired' }
	],
	sources: [
		{ id: 'a1', address: '203.0.113.24', publicAddress: null, ehloDomain: 'out1.example.net' },
		{ id: 'a2', address: '10.0.0.5', publicAddress: '203.0.113.25', ehloDomain: 'out2.example.net' },
		{ id: 'a3', address: '2001:db8::1', publicAddress: null, ehloDomain: 'out1.example.net' }
	],
	hostname: 'mta1.example.net'
};

it('lists everything to publish, in one order', () => {
	const lines = expectedRecords(input).map(({ id, zone }) => `${id}: ${zone}`);
	const spf = 'TXT "v=spf1 ip4:203.0.113.24/31 ip6:2001:db8::1 ~all"';
	expect(lines).toEqual([
		`spf: news.example. 3600 IN ${spf}`,
		`spf-bounce: bounce.news.example. 3600 IN ${spf}`,
		`dkim-k1: s1._domainkey.news.example. 3600 IN TXT "v=DKIM1; k=rsa; p=${'A'.repeat(237)}" "${'A'.repeat(155)}"`,
		'dkim-k2: s2._domainkey.news.example. 3600 IN TXT "v=DKIM1; k=ed25519; p=BBBB"',
		'dkim-k3: s3._domainkey.news.example. 3600 IN TXT "v=DKIM1; k=ed25519; p=CCCC"',
		'dmarc: _dmarc.news.example. 3600 IN TXT "v=DMARC1; p=none; rua=mailto:d@reports.example"',
		'report-reports.example: news.example._report._dmarc.reports.example. 3600 IN TXT "v=DMARC1"',
		'mx-bounce: bounce.news.example. 3600 IN MX 10 mta1.example.net.',
		'address-a1: out1.example.net. 3600 IN A 203.0.113.24',
		'ptr-a1: 24.113.0.203.in-addr.arpa. 3600 IN PTR out1.example.net.',
		'address-a2: out2.example.net. 3600 IN A 203.0.113.25',
		'ptr-a2: 25.113.0.203.in-addr.arpa. 3600 IN PTR out2.example.net.',
		'address-a3: out1.example.net. 3600 IN AAAA 2001:db8::1',
		`ptr-a3: 1.${'0.'.repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa. 3600 IN PTR out1.example.net.`
	]);
});

it('keeps the private address behind NAT out of every record', () => {
	expect(JSON.stringify(expectedRecords(input))).not.toContain('10.0.0.5');
});

it('never touches the MX of the domain itself, and says so', () => {
	expect(expectedRecords(input).filter(({ type, name }) => type === 'MX' && name === 'news.example')).toEqual([]);
	expect(dnsNotes(input).map(({ message }) => message)).toContain(
		'The MX of news.example is left alone: answers to your mail go where they go today.'
	);
});

it('gives each record pieces that make its value, and an id of its own', () => {
	const records = expectedRecords(input);
	for (const { parts, value } of records) expect(parts.join('')).toBe(value);
	expect(new Set(records.map(({ id }) => id)).size).toBe(records.length);
});

it('says a thing once where two sources share it', () => {
	const twin = { id: 'a9', address: '10.0.0.9', publicAddress: '203.0.113.24', ehloDomain: 'out1.example.net' };
	const all = expectedRecords({ ...input, sources: [...input.sources, twin] });
	expect(all.map(({ zone }) => zone)).toEqual(expectedRecords(input).map(({ zone }) => zone));
});

it('lists no name that is too long to exist', () => {
	const name = `${'a'.repeat(60)}.`.repeat(3) + 'example';
	const dmarc = { policy: 'none', aggregateReports: `d@${'b'.repeat(60)}.reports.example` } as const;
	const records = expectedRecords({ ...input, keys: [], domain: { name, bounceHost: `b.${name}`, dmarc } });
	expect(records.map(({ id }) => id)).toContain('dmarc');
	expect(records.map(({ kind }) => kind)).not.toContain('report');
});

describe('what is missing is said and not invented', () => {
	const ids = (given: ExpectedInput) => expectedRecords(given).map(({ id }) => id);
	const missing = (given: ExpectedInput) =>
		dnsNotes(given)
			.filter(({ kind }) => kind === 'missing')
			.map(({ message }) => message);

	it('nothing is, where all is there', () => expect(missing(input)).toEqual([]));

	it('a host name', () => {
		const given = { ...input, hostname: null };
		expect(ids(given)).not.toContain('mx-bounce');
		expect(JSON.stringify(expectedRecords(given))).not.toMatch(/null|undefined/);
		expect(missing(given)).toEqual([expect.stringContaining('no host name yet')]);
	});

	it('sources', () => {
		const given = { ...input, sources: [] };
		expect(ids(given).filter((id) => /^(?:spf|address|ptr)/.test(id))).toEqual([]);
		expect(missing(given)).toEqual([expect.stringContaining('no egress source yet')]);
	});

	it('the public address of a private one', () => {
		const given = {
			...input,
			sources: [{ id: 'a1', address: '192.168.1.9', publicAddress: null, ehloDomain: 'out1.example.net' }]
		};
		expect(ids(given).filter((id) => /^(?:spf|address|ptr)/.test(id))).toEqual([]);
		expect(missing(given)).toEqual([expect.stringContaining('192.168.1.9 is a private address')]);
	});

	it('a key', () => {
		expect(missing({ ...input, keys: input.keys.slice(3) })).toEqual([expect.stringContaining('no DKIM key')]);
	});
});
