import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aggregate } from './blocks.ts';
import { mergeSpf, parseSpf, spfAmong, spfRecord } from './spf.ts';

const ours = aggregate(['203.0.113.25', '2001:db8::25']);

describe('spfAmong', () => {
	it.each<[string[], string[]]>([
		[['google-site-verification=x', 'v=spf1 -all'], ['v=spf1 -all']],
		[
			['V=SPF1 -all', 'v=spf1'],
			['V=SPF1 -all', 'v=spf1']
		],
		[['v=spf10 -all', 'v=spf1;-all', ' v=spf1 -all', 'v=spf2.0/pra', 'spf1'], []]
	])('%j', (strings, expected) => expect(spfAmong(strings)).toEqual(expected));
});

describe('parseSpf', () => {
	it.each([
		'v=spf1 ip4:203.0.113.25 -all',
		'v=spf1  IP4:203.0.113.0/24   INCLUDE:_spf.example.com ~ALL',
		'v=spf1 a mx/24 a:mail.example.com/24//64 mx:example.com//64 ptr ptr:example.com ?all',
		'v=spf1 exists:%{ir}.%{l1r+-}._spf.%{d}.example.com -all',
		'v=spf1 redirect=_spf.example.com exp=explain.example.com',
		'v=spf1 unknown=thing,other/%{x} -all',
		'v=spf1'
	])('reads %j', (record) => expect(parseSpf(record).error).toBeUndefined());

	it.each([
		'v=spf2 -all',
		'v=spf1 ip4:2001:db8::1 -all',
		'v=spf1 ip6:203.0.113.1',
		'v=spf1 ip4: -all',
		'v=spf1 ip4',
		'v=spf1 ip4:203.0.113.0/33',
		'v=spf1 include -all',
		'v=spf1 include: -all',
		'v=spf1 all:x',
		'v=spf1 -all;',
		'v=spf1 bogus:example.com',
		'v=spf1 ++all',
		'v=spf1 -',
		'v=spf1 a:/24',
		'v=spf1 mx/33',
		'v=spf1 a//129',
		'v=spf1 redirect=a.example redirect=b.example',
		'v=spf1 redirect=',
		'v=spf1 include:exa mple',
		'v=spf1\t-all',
		'v=spf1 include:\u202eexample.com',
		'v=spf1 ip4:203.0.113.1\n-all',
		'v=spf1 include:localhost',
		'v=spf1 a/24/64'
	])('refuses %j', (record) => expect(parseSpf(record).error).toBeTypeOf('string'));

	it('never throws', () => {
		fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parseSpf(`v=spf1 ${text}`)));
	});
});

describe('spfRecord', () => {
	it('writes IPv6 as ip6 (D-141)', () => expect(spfRecord(ours)).toBe('v=spf1 ip4:203.0.113.25 ip6:2001:db8::25 ~all'));
	it('invents nothing without addresses', () => expect(spfRecord([])).toBeUndefined());
	it('has one order whatever the order of the sources (D-140)', () => {
		expect(spfRecord(aggregate(['203.0.113.9', '198.51.100.1']))).toBe(
			spfRecord(aggregate(['198.51.100.1', '203.0.113.9']))
		);
	});
});

describe('mergeSpf', () => {
	const ip = 'ip4:203.0.113.25 ip6:2001:db8::25';
	it.each<[string, string[], string]>([
		['nothing published', [], `v=spf1 ${ip} ~all`],
		[
			'an include, ours in front',
			['v=spf1 include:_spf.crm.example -all'],
			`v=spf1 ${ip} include:_spf.crm.example -all`
		],
		['already in it', [`v=spf1 mx ${ip} -all`], `v=spf1 mx ${ip} -all`],
		[
			'a network that covers ours',
			['v=spf1 ip4:203.0.113.0/24 -all'],
			'v=spf1 ip6:2001:db8::25 ip4:203.0.113.0/24 -all'
		],
		[
			'refused by an earlier term',
			['v=spf1 -ip4:203.0.113.0/24 ip4:203.0.113.25 -all'],
			`v=spf1 ${ip} -ip4:203.0.113.0/24 -all`
		],
		[
			'refused by a term that only the DNS knows',
			['v=spf1 -include:a.example ip4:203.0.113.25 -all'],
			`v=spf1 ${ip} -include:a.example -all`
		],
		['softly passed only', ['v=spf1 ~ip4:203.0.113.25 -all'], `v=spf1 ${ip} ~ip4:203.0.113.25 -all`],
		['after all, where nothing counts', [`v=spf1 -all ${ip}`], `v=spf1 ${ip} -all`],
		['+all is closed', ['v=spf1 mx +all'], `v=spf1 ${ip} mx ~all`],
		['all without a sign is +all', ['v=spf1 ALL'], `v=spf1 ${ip} ~all`],
		['a redirect stays last', ['v=spf1 redirect=_spf.example.com'], `v=spf1 ${ip} redirect=_spf.example.com`],
		['a redirect beside all means nothing', ['v=spf1 redirect=_spf.example.com -all'], `v=spf1 ${ip} -all`],
		[
			'exp and unknown modifiers stay',
			['v=spf1 x=y -all exp=e.example.com'],
			`v=spf1 ${ip} x=y -all exp=e.example.com`
		],
		['no all stays open', ['v=spf1 mx'], `v=spf1 ${ip} mx`],
		['upper case', ['V=SPF1 INCLUDE:A.EXAMPLE -ALL'], `v=spf1 ${ip} INCLUDE:A.EXAMPLE -ALL`],
		[
			'two records become one',
			['v=spf1 include:a.example -all', 'v=spf1 include:b.example include:a.example ~all'],
			`v=spf1 ${ip} include:a.example include:b.example -all`
		],
		[
			'what cannot be read is dropped',
			['v=spf1 include:a.example bogus; \u202e -all;'],
			`v=spf1 ${ip} include:a.example`
		]
	])('%s', (_, published, expected) => expect(mergeSpf(published, ours)).toBe(expected));

	it('gives one readable record without +all, and the same when merged again, whatever was published', () => {
		const term = fc.constantFrom(
			'a',
			'mx',
			'-all',
			'~all',
			'+all',
			'all',
			'ip4:203.0.113.25',
			'-ip4:203.0.113.0/24',
			'include:a.example',
			'redirect=b.example',
			'exp=c.example',
			'x=1',
			';',
			'\0',
			'ip6:2001:db8::/32',
			'INCLUDE:A.example'
		);
		fc.assert(
			fc.property(fc.array(fc.array(term, { maxLength: 8 }), { maxLength: 3 }), (records) => {
				const merged =
					mergeSpf(
						records.map((terms) => ['v=spf1', ...terms].join(' ')),
						ours
					) ?? '';
				expect(parseSpf(merged).error).toBeUndefined();
				expect(merged).not.toMatch(/ \+?all(?: |$)/i);
				expect(mergeSpf([merged], ours)).toBe(merged);
			})
		);
	});
});
