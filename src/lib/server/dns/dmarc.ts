import type { DmarcPolicy } from '../domains/tables.ts';
import { isFirstTag, parseTags } from './tag-list.ts';

export const dmarcName = (domain: string) => `_dmarc.${domain}`;

/** The policy record (RFC 7489 6.3). Tags whose value is the default are left out. */
export function dmarcRecord(dmarc: DmarcPolicy): string {
	const percentage = dmarc.percentage ?? 100;
	const tags = [
		'v=DMARC1',
		`p=${dmarc.policy}`,
		dmarc.subdomainPolicy && `sp=${dmarc.subdomainPolicy}`,
		percentage < 100 && `pct=${percentage}`,
		reportUris(dmarc.aggregateReports) && `rua=${reportUris(dmarc.aggregateReports)}`,
		reportUris(dmarc.failureReports) && `ruf=${reportUris(dmarc.failureReports)}`,
		dmarc.strictDkim && 'adkim=s',
		dmarc.strictSpf && 'aspf=s'
	];
	return tags.filter(Boolean).join('; ');
}

/** Addresses to report to, with or without `mailto:`, separated by commas or white space. */
export function reportAddresses(text: string | null | undefined): string[] {
	return (text ?? '')
		.split(/[,\s]+/)
		.map((each) => each.replace(/^mailto:/i, ''))
		.filter((each) => /^[^@]+@[^@]+$/.test(each));
}

/** A comma, an exclamation mark or a semicolon would end the address (RFC 7489 6.2): encoded. */
function reportUris(text: string | null | undefined): string {
	return reportAddresses(text)
		.map((address) => {
			const at = address.lastIndexOf('@');
			const local = encodeURIComponent(address.slice(0, at)).replaceAll('!', '%21').replaceAll('%2B', '+');
			return `mailto:${local}@${address.slice(at + 1).toLowerCase()}`;
		})
		.join(',');
}

/**
 * Domains of report addresses that must agree to receive them (RFC 7489 7.1). Without the public suffix list the
 * organisation of a name is taken as its last two labels, or three below short country registries (`co.uk`).
 */
export function foreignReportDomains(domain: string, dmarc: DmarcPolicy): string[] {
	const addresses = [...reportAddresses(dmarc.aggregateReports), ...reportAddresses(dmarc.failureReports)];
	const hosts = addresses.map((address) => address.slice(address.lastIndexOf('@') + 1).toLowerCase());
	return [...new Set(hosts)].filter((host) => organisationOf(host) !== organisationOf(domain));
}

function organisationOf(name: string): string {
	const labels = name.split('.');
	const [second = '', top = ''] = labels.slice(-2);
	return labels.slice(top.length === 2 && second.length <= 3 ? -3 : -2).join('.');
}

/** The records among TXT strings that claim to be DMARC; more than one means that none applies (RFC 7489 6.6.3). */
export const dmarcAmong = (strings: string[]) =>
	strings.filter((text) => /^v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|$)/.test(text));

type Policy = DmarcPolicy['policy'];

interface ParsedDmarc {
	policy: Policy;
	subdomainPolicy: Policy;
	percentage: number;
	aggregateReports: string[];
	failureReports: string[];
	strictDkim: boolean;
	strictSpf: boolean;
}

/** What receivers make of a record, defaults filled in. Undefined when they would ignore it. */
export function parseDmarc(text: string): ParsedDmarc | undefined {
	const tags = parseTags(text);
	if (tags === undefined || !isFirstTag(tags, 'v') || tags.get('v') !== 'DMARC1') return undefined;
	const reports = reportList(tags.get('rua'));
	// RFC 7489 6.6.3: an unusable policy counts as none when reports are wanted, else the record does not exist.
	const policy = policyOf(tags.get('p')) ?? (reports.length > 0 ? 'none' : undefined);
	if (policy === undefined) return undefined;
	const percentage = /^\d{1,3}$/.test(tags.get('pct') ?? '') ? Math.min(100, Number(tags.get('pct'))) : 100;
	return {
		policy,
		subdomainPolicy: policyOf(tags.get('sp')) ?? policy,
		percentage,
		aggregateReports: reports,
		failureReports: reportList(tags.get('ruf')),
		strictDkim: tags.get('adkim')?.toLowerCase() === 's',
		strictSpf: tags.get('aspf')?.toLowerCase() === 's'
	};
}

function policyOf(text: string | undefined): Policy | undefined {
	return (['none', 'quarantine', 'reject'] as const).find((policy) => policy === text?.toLowerCase());
}

function reportList(text: string | undefined): string[] {
	return (text ?? '').split(',').flatMap((uri) => {
		const [, address] = /^mailto:([^!?]+)/i.exec(uri.trim()) ?? [];
		return address === undefined ? [] : [decoded(address).toLowerCase()];
	});
}

function decoded(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}

const consequence = {
	none: 'Mail that fails is delivered today.',
	quarantine: 'Mail that fails goes to the junk folder today.',
	reject: 'Mail that fails is rejected today.'
};

/** What differs between a published record and the expected one, in words; undefined when receivers act the same. */
export function compareDmarc(published: string, expected: string): string | undefined {
	const found = parseDmarc(published);
	const wanted = parseDmarc(expected);
	if (found === undefined) return 'Found a record that receivers ignore: it is not well formed.';
	if (wanted === undefined) throw new Error('The expected DMARC record is not well formed.');
	if (found.policy !== wanted.policy) return `Found p=${found.policy}. ${consequence[found.policy]}`;
	if (found.subdomainPolicy !== wanted.subdomainPolicy)
		return `Found sp=${found.subdomainPolicy}: mail of subdomains is treated otherwise than wanted.`;
	if (found.percentage !== wanted.percentage)
		return `Found pct=${found.percentage}: the policy covers ${found.percentage} % of failing mail.`;
	if (found.strictDkim !== wanted.strictDkim)
		return `Found ${found.strictDkim ? 'strict' : 'relaxed'} DKIM alignment (adkim).`;
	if (found.strictSpf !== wanted.strictSpf)
		return `Found ${found.strictSpf ? 'strict' : 'relaxed'} SPF alignment (aspf).`;
	if (!isSubset(wanted.aggregateReports, found.aggregateReports))
		return 'Found a record that does not send aggregate reports (rua) where they are wanted.';
	if (!isSubset(wanted.failureReports, found.failureReports))
		return 'Found a record that does not send failure reports (ruf) where they are wanted.';
	return undefined;
}

const isSubset = (some: string[], all: string[]) => some.every((each) => all.includes(each));
