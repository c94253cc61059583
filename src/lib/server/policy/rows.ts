import type { PolicyHead, PolicySender } from './input.ts';
import type { Judgement } from './judge.ts';
import { byText } from './order.ts';

/** `dkim_key` is the panel's own: which key files a revision needs. KumoMTA's program looks at the others. */
export const directoryTables = ['domain', 'bounce_host', 'sender', 'tenant', 'mailbox', 'dkim_key'] as const;
export type DirectoryTable = (typeof directoryTables)[number];
export type DirectoryRow = [table: DirectoryTable, key: string, value: string];

export interface DomainValue {
	id: string;
	name: string;
	bounceHost: string;
	anyReturnPath: boolean;
	/** Absent is off, as in revisions that knew no reports and no suppression. */
	reports?: true;
	suppression?: true;
	complaint?: string;
	keys: { selector: string; algorithm: string }[];
	domainSender?: string;
	ready: boolean;
	/** ASCII, at most 100 characters. */
	reason?: string;
}

export interface BounceHostValue {
	domain: string;
	/** The domain's only bounce account, to which any return path belongs. */
	account?: string;
}

export interface SenderValue {
	id: string;
	domain: string;
	tenant: string;
	pool: string;
	from: 'address' | 'domain';
	status: 'enabled' | 'paused';
	/** ThrottleSpec, like `2000/h`. */
	rate?: string;
	/** Seconds. */
	retry?: number;
	/** Seconds. */
	maxAge?: number;
	salt?: string;
	hash?: string;
	iterations?: number;
}

export interface TenantValue {
	pool: string;
	sender?: string;
	rate?: string;
	retry?: number;
	maxAge?: number;
}

/** KumoMTA's program reads the id; the rest is for Dovecot. */
export interface MailboxValue {
	id: string;
	/** Bytes. */
	quota?: number | undefined;
	/** bcrypt. */
	hash?: string | undefined;
}

const rateUnits = { second: 's', minute: 'min', hour: 'h', day: 'd' } as const;

/** ThrottleSpec of KumoMTA's make_throttle: `<count>/<unit>`. */
export const throttleSpec = ({ count, unit }: NonNullable<PolicySender['limit']>) => `${count}/${rateUnits[unit]}`;

export function limitOf(spec: string): NonNullable<PolicySender['limit']> {
	const [count = '', short = ''] = spec.split('/');
	const unit = (Object.keys(rateUnits) as (keyof typeof rateUnits)[]).find((name) => rateUnits[name] === short);
	if (unit === undefined) throw new Error('A rate in the directory has an unknown unit.');
	return { count: Number(count), unit };
}

/** A sender's own row and that of its tenant. @param names of its domain and pool. */
export function senderRows(sender: PolicySender, { domain, pool }: { domain: string; pool: string }): DirectoryRow[] {
	const { id, address, tenant, fromPolicy: from, status, limit, verifier } = sender;
	const rate = limit === null ? undefined : throttleSpec(limit);
	const retry = sender.retryIntervalSeconds ?? undefined;
	const maxAge = sender.maxAgeSeconds ?? undefined;
	const value: SenderValue = {
		id,
		domain,
		tenant,
		pool,
		from,
		status,
		rate,
		retry,
		maxAge,
		salt: verifier?.salt,
		hash: verifier?.hash,
		iterations: verifier?.iterations
	};
	const queue: TenantValue = { pool, sender: address, rate, retry, maxAge };
	return [
		['sender', address, JSON.stringify(value)],
		['tenant', tenant, JSON.stringify(queue)]
	];
}

/**
 * The rows of everything but senders, each table ordered by key; values are JSON with a fixed order of fields, absent
 * instead of null. @param head ordered by `inOrder`.
 */
export function* headRows(head: PolicyHead, judgement: Judgement): Generator<DirectoryRow> {
	yield* domainRows(head, judgement);
	yield* bounceHostRows(head, judgement);
	for (const [tenant, pool] of [...judgement.orphans].sort(([a], [b]) => byText(a, b)))
		yield ['tenant', tenant, JSON.stringify({ pool })];
	for (const { id, address, login } of receiving(head, judgement)) {
		const value: MailboxValue = { id, quota: login?.quotaBytes, hash: login?.hash };
		yield ['mailbox', address, JSON.stringify(value)];
	}
	yield* keyRows(head, judgement);
}

const receiving = ({ mailboxes }: PolicyHead, { keptOut }: Judgement) =>
	mailboxes.filter(({ id, enabled }) => enabled && !keptOut.has(id));

function* bounceHostRows(head: PolicyHead, judgement: Judgement): Generator<DirectoryRow> {
	const accounts = Map.groupBy(receiving(head, judgement), ({ domainId }) => domainId);
	for (const { id, bounceHost, name, acceptAnyReturnPath } of head.domains.toSorted((a, b) =>
		byText(a.bounceHost, b.bounceHost)
	)) {
		const [account, ...more] = accounts.get(id) ?? [];
		const isOnly = acceptAnyReturnPath && more.length === 0;
		const value: BounceHostValue = { domain: name, account: isOnly ? account?.address : undefined };
		yield ['bounce_host', bounceHost, JSON.stringify(value)];
	}
}

function* domainRows(head: PolicyHead, { keys, notReady, domainSenders }: Judgement): Generator<DirectoryRow> {
	for (const domain of head.domains) {
		const { id, name, bounceHost, acceptAnyReturnPath, complaintAddress } = domain;
		const reason = notReady.get(id);
		const value: DomainValue = {
			id,
			name,
			bounceHost,
			anyReturnPath: acceptAnyReturnPath,
			reports: domain.reportFailures || undefined,
			suppression: domain.suppression || undefined,
			complaint: complaintAddress ?? undefined,
			keys: (keys.get(id) ?? []).map(({ selector, algorithm }) => ({ selector, algorithm })),
			domainSender: domainSenders.get(id),
			ready: reason === undefined,
			reason
		};
		yield ['domain', name, JSON.stringify(value)];
	}
}

function* keyRows(head: PolicyHead, { keys }: Judgement): Generator<DirectoryRow> {
	const rows: DirectoryRow[] = [];
	for (const { id: domainId, name } of head.domains)
		for (const { id, selector, algorithm, privateKeyHash } of keys.get(domainId) ?? [])
			rows.push(['dkim_key', `${name}/${selector}`, JSON.stringify({ id, algorithm, hash: privateKeyHash })]);
	yield* rows.sort(([, a], [, b]) => byText(a, b));
}
