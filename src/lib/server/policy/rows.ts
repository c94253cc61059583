import type { PolicyInput, PolicySender } from './input.ts';
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
	complaint?: string;
	keys: { selector: string; algorithm: string }[];
	domainSender?: string;
	ready: boolean;
	/** ASCII, at most 100 characters. */
	reason?: string;
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

const rateUnits = { second: 's', minute: 'min', hour: 'h', day: 'd' } as const;

/** ThrottleSpec of KumoMTA's make_throttle: `<count>/<unit>`. */
export const throttleSpec = ({ count, unit }: NonNullable<PolicySender['limit']>) => `${count}/${rateUnits[unit]}`;

export function limitOf(spec: string): NonNullable<PolicySender['limit']> {
	const [count = '', short = ''] = spec.split('/');
	const unit = (Object.keys(rateUnits) as (keyof typeof rateUnits)[]).find((name) => rateUnits[name] === short);
	if (unit === undefined) throw new Error('A rate in the directory has an unknown unit.');
	return { count: Number(count), unit };
}

/**
 * The rows of directory.sqlite, table by table, each table ordered by key; values are JSON with a fixed order of fields,
 * absent instead of null. One at a time, so that 300,000 rows need no memory.
 * @param input ordered by `inOrder`.
 */
export function* directoryRows(input: PolicyInput, judgement: Judgement): Generator<DirectoryRow> {
	yield* domainRows(input, judgement);
	yield* bounceHostRows(input);
	const pools = new Map(input.pools.map(({ id, name }) => [id, name]));
	const domains = new Map(input.domains.map(({ id, name }) => [id, name]));
	for (const sender of input.senders) {
		if (judgement.keptOut.has(sender.id)) continue;
		const value = senderValue(sender, domains.get(sender.domainId) ?? '', pools.get(sender.poolId) ?? '');
		yield ['sender', sender.address, JSON.stringify(value)];
	}
	yield* tenantRows(input, judgement, pools);
	for (const { id, address, enabled } of input.mailboxes)
		if (enabled && !judgement.keptOut.has(id)) yield ['mailbox', address, JSON.stringify({ id })];
	yield* keyRows(input, judgement);
}

function* domainRows(input: PolicyInput, { keys, notReady, domainSenders }: Judgement): Generator<DirectoryRow> {
	for (const { id, name, bounceHost, acceptAnyReturnPath, complaintAddress } of input.domains) {
		const reason = notReady.get(id);
		const value: DomainValue = {
			id,
			name,
			bounceHost,
			anyReturnPath: acceptAnyReturnPath,
			complaint: complaintAddress ?? undefined,
			keys: (keys.get(id) ?? []).map(({ selector, algorithm }) => ({ selector, algorithm })),
			domainSender: domainSenders.get(id),
			ready: reason === undefined,
			reason
		};
		yield ['domain', name, JSON.stringify(value)];
	}
}

function* bounceHostRows({ domains }: PolicyInput): Generator<DirectoryRow> {
	for (const { bounceHost, name } of domains.toSorted((a, b) => byText(a.bounceHost, b.bounceHost)))
		yield ['bounce_host', bounceHost, JSON.stringify({ domain: name })];
}

function senderValue(sender: PolicySender, domain: string, pool: string): SenderValue {
	const { id, tenant, fromPolicy: from, status, verifier } = sender;
	return {
		id,
		domain,
		tenant,
		pool,
		from,
		status,
		...queueOptions(sender),
		salt: verifier?.salt,
		hash: verifier?.hash,
		iterations: verifier?.iterations
	};
}

function queueOptions({ limit, retryIntervalSeconds, maxAgeSeconds }: PolicySender) {
	return {
		rate: limit === null ? undefined : throttleSpec(limit),
		retry: retryIntervalSeconds ?? undefined,
		maxAge: maxAgeSeconds ?? undefined
	};
}

/** Every tenant that spooled mail may name, with a pool: senders, senders that stay out, and removed ones. */
function* tenantRows(input: PolicyInput, { keptOut }: Judgement, pools: Map<string, string>): Generator<DirectoryRow> {
	const values = new Map<string, TenantValue | PolicySender>();
	for (const { tenant, pool } of input.tombstones.senders) values.set(tenant, { pool });
	for (const sender of input.senders) {
		const pool = pools.get(sender.poolId) ?? input.settings.defaultPool;
		if (!keptOut.has(sender.id)) values.set(sender.tenant, sender);
		else if (pool !== null && !values.has(sender.tenant)) values.set(sender.tenant, { pool });
	}
	for (const tenant of [...values.keys()].sort(byText)) {
		const value = values.get(tenant);
		if (value === undefined) continue;
		yield ['tenant', tenant, JSON.stringify('address' in value ? tenantValue(value, pools) : value)];
	}
}

function tenantValue(sender: PolicySender, pools: Map<string, string>): TenantValue {
	return { pool: pools.get(sender.poolId) ?? '', sender: sender.address, ...queueOptions(sender) };
}

function* keyRows(input: PolicyInput, { keys }: Judgement): Generator<DirectoryRow> {
	const rows: DirectoryRow[] = [];
	for (const { id: domainId, name } of input.domains)
		for (const { id, selector, algorithm, privateKeyHash } of keys.get(domainId) ?? [])
			rows.push(['dkim_key', `${name}/${selector}`, JSON.stringify({ id, algorithm, hash: privateKeyHash })]);
	yield* rows.sort(([, a], [, b]) => byText(a, b));
}
