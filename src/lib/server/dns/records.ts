import type { DmarcPolicy } from '../domains/tables.ts';
import { aggregate, isPublicAddress, reverseName } from './blocks.ts';
import { dkimName, dkimRecord } from './dkim-record.ts';
import type { DkimKeyRecord } from './dkim-record.ts';
import { dmarcName, dmarcRecord, foreignReportDomains } from './dmarc.ts';
import { spfRecord } from './spf.ts';
import { txtParts, zoneLine } from './zone.ts';
import type { ZoneRecord } from './zone.ts';

export interface ExpectedInput {
	domain: { name: string; bounceHost: string; dmarc: DmarcPolicy };
	/** Pending, active and retiring keys; retired ones are left out. */
	keys: (DkimKeyRecord & { id: string; state: 'pending' | 'active' | 'retiring' | 'retired' })[];
	/** The egress sources that the domain's mail may leave from. */
	sources: { id: string; address: string; publicAddress: string | null; ehloDomain: string }[];
	/** This server's name: where bounces come back to. Null while nobody entered it. */
	hostname: string | null;
}

/** One record that has to be in the DNS. `kind` says how a live look-up compares with it. */
export interface ExpectedRecord extends ZoneRecord {
	/** The same for the same record at each call. */
	id: string;
	kind: 'spf' | 'dkim' | 'dmarc' | 'report' | 'mx' | 'address' | 'ptr';
	/** TXT: `value` in pieces of at most 255 bytes. Otherwise the value alone. */
	parts: string[];
	/** The line for a zone file. */
	zone: string;
	purpose: string;
}

const ttl = 3600;

type Draft = Pick<ExpectedRecord, 'id' | 'kind' | 'name' | 'type' | 'value' | 'purpose'>;

/** What the domain must publish, in a fixed order. Offline: SPF is as if nothing were published yet. */
export function expectedRecords(input: ExpectedInput): ExpectedRecord[] {
	const drafts = [
		...spfDrafts(input),
		...dkimDrafts(input),
		...dmarcDrafts(input),
		...mxDrafts(input),
		...sourceDrafts(input)
	];
	const seen = new Set<string>();
	return drafts.flatMap((draft) => {
		const key = `${draft.type} ${draft.name} ${draft.value}`;
		if (seen.has(key)) return [];
		seen.add(key);
		return [finished(draft)];
	});
}

/** A record with another value, its pieces and line made anew. */
export const withValue = (record: ExpectedRecord, value: string) => finished({ ...record, value });

function finished(draft: Draft): ExpectedRecord {
	const record = { ...draft, ttl };
	return { ...record, parts: draft.type === 'TXT' ? txtParts(draft.value) : [draft.value], zone: zoneLine(record) };
}

/** The address that the world sees; undefined when nobody said what it is. */
export function publicAddressOf({ address, publicAddress }: ExpectedInput['sources'][number]): string | undefined {
	return publicAddress ?? (isPublicAddress(address) ? address : undefined);
}

function spfDrafts({ domain, sources }: ExpectedInput): Draft[] {
	const value = spfRecord(aggregate(sources.flatMap((source) => publicAddressOf(source) ?? [])));
	if (value === undefined) return [];
	const base = { kind: 'spf', type: 'TXT', value } as const;
	return [
		{
			...base,
			id: 'spf',
			name: domain.name,
			purpose: 'SPF. Lets the egress sources send with an address of the domain as MAIL FROM.'
		},
		{
			...base,
			id: 'spf-bounce',
			name: domain.bounceHost,
			purpose: 'SPF of the bounce host, for mail whose MAIL FROM is there.'
		}
	];
}

const signing = {
	pending: 'Signing can be activated once this is visible.',
	active: 'Signs today.',
	retiring: 'Signed until lately: keep it until mail on its way has arrived.'
};

function dkimDrafts({ domain, keys }: ExpectedInput): Draft[] {
	return keys.flatMap((key) =>
		key.state === 'retired'
			? []
			: [
					{
						id: `dkim-${key.id}`,
						kind: 'dkim' as const,
						type: 'TXT' as const,
						name: dkimName(key.selector, domain.name),
						value: dkimRecord(key),
						purpose: `DKIM key ${key.selector}. ${signing[key.state]}`
					}
				]
	);
}

function dmarcDrafts({ domain }: ExpectedInput): Draft[] {
	const policy: Draft = {
		id: 'dmarc',
		kind: 'dmarc',
		type: 'TXT',
		name: dmarcName(domain.name),
		value: dmarcRecord(domain.dmarc),
		purpose: 'DMARC policy: what receivers do with mail that fails SPF and DKIM alignment.'
	};
	const reports = foreignReportDomains(domain.name, domain.dmarc).map((host): Draft => ({
		id: `report-${host}`,
		kind: 'report',
		type: 'TXT',
		name: `${domain.name}._report._dmarc.${host}`,
		value: 'v=DMARC1',
		purpose: `Lets DMARC reports about ${domain.name} go to ${host}. Whoever runs ${host} publishes it.`
	}));
	// A name of more than 253 octets cannot exist (RFC 1035 2.3.4): such reports are never sent.
	return [policy, ...reports.filter(({ name }) => name.length <= 253)];
}

function mxDrafts({ domain, hostname }: ExpectedInput): Draft[] {
	if (hostname === null) return [];
	const value = `10 ${hostname}.`;
	return [
		{ id: 'mx-bounce', kind: 'mx', type: 'MX', name: domain.bounceHost, value, purpose: 'Bounces come back here.' }
	];
}

/** The records of sources alone, each source by its id: `address-<id>` and `ptr-<id>`. */
export const sourceRecords = (sources: ExpectedInput['sources']) => sourceDrafts({ sources }).map(finished);

function sourceDrafts({ sources }: Pick<ExpectedInput, 'sources'>): Draft[] {
	return sources.flatMap((source): Draft[] => {
		const address = publicAddressOf(source);
		const reverse = address === undefined ? undefined : reverseName(address);
		if (address === undefined || reverse === undefined) return [];
		const type = address.includes(':') ? 'AAAA' : 'A';
		return [
			{
				id: `address-${source.id}`,
				kind: 'address',
				type,
				name: source.ehloDomain,
				value: address,
				purpose: `The name that ${address} greets with leads back to it.`
			},
			{
				id: `ptr-${source.id}`,
				kind: 'ptr',
				type: 'PTR',
				name: reverse,
				value: `${source.ehloDomain}.`,
				purpose: `Reverse name of ${address}. Whoever gave you the address sets it.`
			}
		];
	});
}
