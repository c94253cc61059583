import { pbkdf2Sync } from 'node:crypto';
import type { PolicyInput } from '../../src/lib/server/policy/input.ts';

type Sender = PolicyInput['senders'][number];
type Domain = PolicyInput['domains'][number];
type Headers = [name: string, value: string][];

export interface Author {
	local: string;
	domain: string;
}

/** Who may receive at a bounce host. `reports`: only delivery and complaint reports, which are logged and not kept. */
export type InboundKind = { kind: 'account'; id: string } | { kind: 'reports' } | { kind: 'refused' };

/** The panel's data, found by what a message carries. */
export interface Estate {
	senders: Map<string, Sender>;
	domains: Map<string, Domain>;
	accounts: Map<string, string>;
	isPassword: (sender: Sender, password: string) => boolean;
	isReady: (domain: Domain) => boolean;
	mayRelay: (peer: string) => boolean;
	/** The one mailbox of the one From header, lower-case; null where the rules refuse the header itself. */
	authorOf: (headers: Headers) => Author | null;
	senderForAuthor: (author: Author) => Sender | null;
	mayWriteAs: (sender: Sender, domain: Domain, author: Author) => boolean;
	campaignOf: (headers: Headers) => string | undefined;
	poolOf: (sender: Sender) => { pool: string; ehlo: string[] };
	signaturesOf: (domainId: string) => string[];
	/** Null: not one of our bounce hosts, so nothing that we relay. */
	inboundKind: (recipient: string) => InboundKind | null;
	isReport: (headers: Headers) => boolean;
}

const lower = (text: string) => text.toLowerCase();

function splitAddress(address: string): Author {
	const at = address.lastIndexOf('@');
	return { local: lower(address.slice(0, at)), domain: lower(address.slice(at + 1)) };
}

/** `local+tag` and `local` are the same receiver. */
const untagged = (local: string) => local.split('+')[0] ?? '';

export function openEstate(input: PolicyInput): Estate {
	const senders = new Map(input.senders.map((sender) => [sender.address, sender]));
	const domains = new Map(input.domains.map((domain) => [domain.id, domain]));
	const bounceHosts = new Map(input.domains.map((domain) => [domain.bounceHost, domain]));
	const accounts = new Map(input.mailboxes.filter(({ enabled }) => enabled).map(({ address, id }) => [address, id]));
	const signing = Map.groupBy(input.dkimKeys, ({ domainId }) => domainId);
	const wide = Map.groupBy(
		input.senders.filter(({ fromPolicy }) => fromPolicy === 'domain'),
		({ domainId }) => domains.get(domainId)?.name ?? ''
	);
	const named = (headers: Headers, name: string) =>
		headers.filter(([each]) => lower(each) === lower(name)).map(([, value]) => value);
	return {
		senders,
		domains,
		accounts,
		isPassword: ({ verifier }, password) => verifier !== null && matches(verifier, password),
		isReady: ({ id }) => signing.has(id),
		mayRelay: (peer) => /^198\.51\.100\.(?:\d|1[0-5])$/.test(peer),
		authorOf: (headers) => authorOf(named(headers, 'From')),
		senderForAuthor({ local, domain }) {
			const of = wide.get(domain) ?? [];
			return senders.get(`${local}@${domain}`) ?? (of.length === 1 ? (of[0] ?? null) : null);
		},
		mayWriteAs: (sender, { name }, author) =>
			sender.fromPolicy === 'domain' ? author.domain === name : `${author.local}@${author.domain}` === sender.address,
		campaignOf(headers) {
			const [value = ''] = named(headers, input.settings.campaignHeader ?? '');
			return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(value) ? value : undefined;
		},
		poolOf: ({ poolId }) => poolOf(input, poolId),
		signaturesOf: (id) =>
			(signing.get(id) ?? []).map(({ selector }) => `${selector}._domainkey.${domains.get(id)?.name}`).sort(),
		inboundKind(recipient) {
			const { local, domain: host } = splitAddress(recipient);
			const domain = bounceHosts.get(host);
			return domain === undefined ? null : inboundKind(local, domain, accounts);
		},
		isReport: (headers) =>
			named(headers, 'Content-Type').some((value) =>
				/^multipart\/report;.*report-type="?(?:delivery-status|feedback-report)/.test(value)
			)
	};
}

function matches({ salt, hash, iterations }: NonNullable<Sender['verifier']>, password: string): boolean {
	return pbkdf2Sync(password, Buffer.from(salt, 'hex'), iterations, 32, 'sha256').toString('hex') === hash;
}

function poolOf({ pools, sources }: PolicyInput, poolId: string) {
	const pool = pools.find(({ id }) => id === poolId);
	const ehlo = (pool?.entries ?? []).map(({ sourceId }) => sources.find(({ id }) => id === sourceId)?.ehloDomain ?? '');
	return { pool: pool?.name ?? '', ehlo: ehlo.sort() };
}

/** RFC 5322 as far as the proof's own headers go: `a@b`, `Name <a@b>`, lists, groups and quoted local parts. */
function authorOf(values: string[]): Author | null {
	const [value, ...more] = values;
	if (value === undefined || more.length > 0) return null;
	const plain = /^(?:(?:"[^"\\<>]*" *|[^"<>,:;@]*)<([^<>",:;\s@]+@[^<>",:;\s@]+)>|([^<>",:;\s@]+@[^<>",:;\s@]+))$/.exec(
		value.trim()
	);
	return plain === null ? null : splitAddress(plain[1] ?? plain[2] ?? '');
}

function inboundKind(
	local: string,
	{ acceptAnyReturnPath, bounceHost, complaintAddress }: Domain,
	accounts: Map<string, string>
): InboundKind {
	const account = accounts.get(`${local}@${bounceHost}`) ?? accounts.get(`${untagged(local)}@${bounceHost}`);
	if (account !== undefined) return { kind: 'account', id: account };
	const isRole = local === 'postmaster' || local === 'abuse' || `${local}@${bounceHost}` === complaintAddress;
	return isRole || acceptAnyReturnPath ? { kind: 'reports' } : { kind: 'refused' };
}

/** policy.md 4.4: own address (also tagged), or at the bounce host what the domain lets pass. The null sender never. */
export function mayUseReturnPath(
	{ accounts }: Estate,
	{ address }: Sender,
	{ bounceHost, acceptAnyReturnPath }: Domain,
	mailFrom: string
): boolean {
	if (mailFrom === '') return false;
	const { local, domain } = splitAddress(mailFrom);
	if (`${untagged(local)}@${domain}` === address) return true;
	if (domain !== bounceHost) return false;
	return (
		acceptAnyReturnPath || accounts.has(`${local}@${bounceHost}`) || accounts.has(`${untagged(local)}@${bounceHost}`)
	);
}
