import type { PolicyDkimKey, PolicyDomain, PolicyHead, PolicyMailbox, PolicySender } from './input.ts';
import { problem } from './problem.ts';
import type { Problem } from './problem.ts';

/** What becomes of each object of the input: which domains are ready, and which objects stay out of the revision. */
export interface Judgement {
	problems: Problem[];
	/** Domain id to the reason, in at most 100 characters of ASCII: it stands in SMTP replies. */
	notReady: Map<string, string>;
	/** Ids of bounce accounts that stay out. */
	keptOut: Set<string>;
	/** Domain id to the address that relay hosts' mail of this domain is counted to. */
	domainSenders: Map<string, string>;
	/** Domain id to its active keys, in signing order. */
	keys: Map<string, PolicyDkimKey[]>;
	/** Ids of the pools that senders use. */
	usedPools: Set<string>;
	/** Senders in the revision. */
	senderCount: number;
	/** Tenants without a sender whose spooled mail still needs a pool: removed senders, and those that stay out. */
	orphans: Map<string, string>;
}

/** Judges domains and bounce accounts at once, and senders as they pass, ordered by address. */
export interface Judge {
	/** Whether the sender is in the revision. */
	sender: (sender: PolicySender) => boolean;
	/** After the last sender. */
	finish: () => Judgement;
}

interface Bench extends Judgement {
	domains: Map<string, PolicyDomain>;
	pools: Map<string, string>;
	tenants: Set<string>;
	previous: string;
}

export function openJudge(head: PolicyHead): Judge {
	const bench: Bench = {
		problems: [],
		notReady: new Map(),
		keptOut: new Set(),
		domainSenders: new Map(),
		keys: keysByDomain(head),
		usedPools: new Set(),
		senderCount: 0,
		orphans: new Map(head.tombstones.senders.map(({ tenant, pool }) => [tenant, pool])),
		domains: new Map(head.domains.map((domain) => [domain.id, domain])),
		pools: new Map(head.pools.map(({ id, name }) => [id, name])),
		tenants: new Set(),
		previous: ''
	};
	judgeDomains(head.domains, bench);
	for (const mailbox of head.mailboxes) judgeMailbox(mailbox, bench.domains.get(mailbox.domainId), bench);
	return {
		sender: (sender) => judgeSender(sender, bench, head.settings.defaultPool),
		finish() {
			for (const tenant of bench.tenants) bench.orphans.delete(tenant);
			for (const [id, address] of bench.domainSenders) if (address === '') bench.domainSenders.delete(id);
			return bench;
		}
	};
}

/** Signing order: RSA before Ed25519, then by selector, so that old verifiers meet a signature they know first. */
function keysByDomain({ dkimKeys }: PolicyHead): Map<string, PolicyDkimKey[]> {
	const rank = ({ algorithm, selector }: PolicyDkimKey) => `${algorithm === 'ed25519' ? 1 : 0} ${selector}`;
	const keys = new Map<string, PolicyDkimKey[]>();
	for (const key of dkimKeys) {
		const of = keys.get(key.domainId);
		if (of) of.push(key);
		else keys.set(key.domainId, [key]);
	}
	for (const of of keys.values()) of.sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
	return keys;
}

function judgeDomains(domains: PolicyDomain[], { problems, notReady, keys }: Judgement): void {
	const names = new Set(domains.map(({ name }) => name));
	for (const domain of domains) {
		const { id, name, bounceHost } = domain;
		const report = (severity: Problem['severity'], code: string, message: string, field?: string) =>
			problems.push(problem({ severity, scope: 'domain', id, subject: name, code, message, ...(field && { field }) }));
		if (!keys.has(id)) {
			notReady.set(id, `${name.slice(0, 60)} has no active DKIM key`);
			report(
				'error',
				'no-active-key',
				`${name} has no active DKIM key. Its senders get 450 until it has one. Generate a key, publish its record and activate it.`
			);
		}
		if (bounceHost !== name && names.has(bounceHost)) {
			notReady.set(id, `the bounce host of ${name.slice(0, 60)} is another domain`);
			report(
				'error',
				'bounce-host-is-domain',
				`The bounce host of ${name}, ${bounceHost}, is itself a sending domain here. ${name} stays out. Choose a name of its own, like bounce.${name}.`,
				'bounceHost'
			);
		} else if (!shareOrganization(name, bounceHost)) {
			report(
				'warning',
				'bounce-host-not-aligned',
				`The bounce host ${bounceHost} does not belong to ${name}. SPF passes there but does not count for DMARC (RFC 7489 section 3.1.2). Choose a name below ${name}.`,
				'bounceHost'
			);
		}
	}
}

/**
 * Whether two names share an organizational domain, without the public suffix list: the common end must hold two labels,
 * or three below endings like `co.uk`. Good enough for a warning.
 */
export function shareOrganization(one: string, other: string): boolean {
	const [a, b] = [one.split('.').reverse(), other.split('.').reverse()];
	let common = 0;
	while (common < a.length && common < b.length && a[common] === b[common]) common++;
	const [top = '', second = ''] = a;
	const isCountrySuffix = top.length === 2 && /^(?:com?|org|net|edu|gov|ac|or|ne|go|gob|ltd|plc|nom|mil)$/.test(second);
	return common >= (isCountrySuffix ? 3 : 2) || common === Math.min(a.length, b.length);
}

function judgeSender(sender: PolicySender, bench: Bench, defaultPool: string | null): boolean {
	const reason = faultOf(sender, bench);
	bench.previous = sender.address;
	const pool = bench.pools.get(sender.poolId);
	bench.usedPools.add(sender.poolId);
	if (reason !== undefined) {
		bench.problems.push(senderProblem(sender, 'error', ...reason));
		const lastPool = pool ?? defaultPool;
		if (lastPool !== null && !bench.orphans.has(sender.tenant)) bench.orphans.set(sender.tenant, lastPool);
		return false;
	}
	bench.tenants.add(sender.tenant);
	bench.senderCount++;
	if (sender.retryIntervalSeconds !== null && sender.retryIntervalSeconds >= (sender.maxAgeSeconds ?? 604_800)) {
		const message = `${sender.address} tries again after longer than its mail may wait. Each mail gets one try. Shorten the retry interval or raise the maximum age.`;
		bench.problems.push(senderProblem(sender, 'warning', 'retry-after-expiry', message, 'retryIntervalSeconds'));
	}
	if (sender.fromPolicy === 'domain') claimDomain(sender, bench);
	return true;
}

type Fault = [code: string, message: string, field?: string];

function faultOf({ address, tenant, poolId, domainId }: PolicySender, seen: Bench): Fault | undefined {
	const domain = seen.domains.get(domainId);
	if (domain === undefined)
		return ['no-domain', `The domain of ${address} cannot be used. The sender stays out. Correct the domain first.`];
	if (!address.endsWith(`@${domain.name}`))
		return [
			'foreign-domain',
			`${address} is not an address at ${domain.name}. The sender stays out. Remove it and create it at its own domain.`
		];
	if (!seen.pools.has(poolId))
		return ['no-pool', `The pool of ${address} cannot be used. The sender stays out. Choose another pool.`, 'poolId'];
	if (address <= seen.previous || seen.tenants.has(tenant))
		return [
			'duplicate',
			`${address} exists twice or shares its tenant ${tenant}. The second one stays out. Remove it.`
		];
	return undefined;
}

const senderProblem = (
	{ id, address }: PolicySender,
	severity: Problem['severity'],
	code: string,
	message: string,
	field?: string
) => problem({ severity, scope: 'sender', id, subject: address, code, message, ...(field && { field }) });

/** Two senders for all addresses of one domain are fine with passwords; mail of relay hosts cannot choose between them. */
function claimDomain(sender: PolicySender, { domainSenders, problems }: Judgement): void {
	const other = domainSenders.get(sender.domainId);
	domainSenders.set(sender.domainId, other === undefined ? sender.address : '');
	if (other === undefined) return;
	const domain = sender.address.slice(sender.address.indexOf('@') + 1);
	problems.push(
		senderProblem(
			sender,
			'warning',
			'two-domain-senders',
			`More than one sender may use every address at ${domain}. Relay hosts must send From an exact sender address there. Let one sender keep the whole domain.`,
			'fromPolicy'
		)
	);
}

function judgeMailbox(mailbox: PolicyMailbox, domain: PolicyDomain | undefined, judgement: Judgement): void {
	if (domain !== undefined && mailbox.address.endsWith(`@${domain.bounceHost}`)) return;
	judgement.keptOut.add(mailbox.id);
	judgement.problems.push(
		problem({
			severity: 'error',
			scope: 'bounce-account',
			id: mailbox.id,
			subject: mailbox.address,
			code: 'foreign-bounce-host',
			message: `The bounce account ${mailbox.address} is not at its domain's bounce host. It receives nothing. Remove it and create it again.`
		})
	);
}
