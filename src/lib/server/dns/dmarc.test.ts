import { describe, expect, it } from 'vitest';
import { compareDmarc, dmarcAmong, dmarcRecord, foreignReportDomains, parseDmarc, reportAddresses } from './dmarc.ts';

describe('dmarcRecord', () => {
	it.each([
		[{ policy: 'none' }, 'v=DMARC1; p=none'],
		[{ policy: 'reject', percentage: 100, aggregateReports: null }, 'v=DMARC1; p=reject'],
		[{ policy: 'quarantine', percentage: 0 }, 'v=DMARC1; p=quarantine; pct=0'],
		[
			{
				policy: 'quarantine',
				subdomainPolicy: 'reject',
				percentage: 25,
				aggregateReports: 'mailto:a@x.example, b@x.example',
				failureReports: 'c+d@x.example',
				strictDkim: true,
				strictSpf: true
			},
			'v=DMARC1; p=quarantine; sp=reject; pct=25; rua=mailto:a@x.example,mailto:b@x.example; ruf=mailto:c+d@x.example; adkim=s; aspf=s'
		],
		[
			{ policy: 'none', aggregateReports: 'a!b;p=reject@x.example' },
			'v=DMARC1; p=none; rua=mailto:a%21b%3Bp%3Dreject@x.example'
		]
	] as const)('%j', (policy, expected) => {
		expect(dmarcRecord(policy)).toBe(expected);
		expect(parseDmarc(expected)?.policy).toBe(policy.policy);
	});
});

it('reads addresses with and without mailto: (D-145)', () => {
	expect(reportAddresses('MAILTO:a@x.example b@x.example,,c')).toEqual(['a@x.example', 'b@x.example']);
});

it.each([
	['a.example', 'dmarc@a.example', []],
	['news.a.example', 'dmarc@mail.a.example', []],
	['a.example', 'dmarc@reports.example,x@a.example', ['reports.example']],
	['a.co.uk', 'dmarc@b.co.uk', ['b.co.uk']]
])('%s reporting to %s needs the consent of %j', (domain, aggregateReports, expected) => {
	expect(foreignReportDomains(domain, { policy: 'none', aggregateReports })).toEqual(expected);
});

it('takes for DMARC only what begins with it', () => {
	const records = ['v=DMARC1; p=none', 'v = DMARC1 ;p=none', 'v=DMARC1'];
	expect(
		dmarcAmong([...records, 'v=DMARC10; p=none', 'p=none; v=DMARC1', 'v=dmarc1; p=none', 'x', ' v=DMARC1; p=none'])
	).toEqual(records);
});

describe('compareDmarc', () => {
	const expected = 'v=DMARC1; p=quarantine; rua=mailto:d@a.example';
	it.each([
		expected,
		'v=DMARC1;p=QUARANTINE;rua=mailto:D@a.example',
		'v=DMARC1; rua=mailto:x@y.example, mailto:d@a.example!10m; p=quarantine; sp=quarantine; pct=100; adkim=r; fo=1; ri=3600;',
		'v=DMARC1; p=quarantine; rua=mailto:d%40a.example'
	])('is content with %j', (published) => expect(compareDmarc(published, expected)).toBeUndefined());

	it.each([
		['v=DMARC1; p=none; rua=mailto:d@a.example', 'Found p=none. Mail that fails is delivered today.'],
		['v=DMARC1; p=reject; rua=mailto:d@a.example', 'p=reject'],
		['v=DMARC1; p=quarantine; sp=none; rua=mailto:d@a.example', 'sp=none'],
		['v=DMARC1; p=quarantine; pct=5; rua=mailto:d@a.example', 'pct=5'],
		['v=DMARC1; p=quarantine; adkim=s; rua=mailto:d@a.example', 'adkim'],
		['v=DMARC1; p=quarantine; aspf=s; rua=mailto:d@a.example', 'aspf'],
		['v=DMARC1; p=quarantine', 'rua'],
		['v=DMARC1; p=bogus; rua=mailto:d@a.example', 'p=none'],
		['v=DMARC1; p=bogus', 'ignore'],
		['v=DMARC1', 'ignore'],
		['v=DMARC1;; p=quarantine', 'ignore'],
		['v=DMARC1; p=quarantine; p=none', 'ignore'],
		['v=DMARC1, p=quarantine', 'ignore'],
		['p=quarantine; v=DMARC1', 'ignore']
	])('%j', (published, message) => expect(compareDmarc(published, expected)).toContain(message));
});
