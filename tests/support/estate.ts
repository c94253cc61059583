import type { Client } from '@libsql/client';
import { createHash } from 'node:crypto';
import type { PolicyInput } from '../../src/lib/server/policy/input.ts';
import { kumoSourceName } from '../../src/lib/server/sources/kumo-name.ts';

export interface EstateSize {
	domains: number;
	/** Spread over the domains evenly. */
	senders: number;
}

const idAlphabet = 'abcdefghijkmnpqrstuvwxyz23456789';

/** An id that only depends on its number and kind: one estate is the same on every run. */
export function estateId(kind: string, number: number): string {
	const bytes = createHash('sha256').update(`${kind} ${number}`).digest().subarray(0, 16);
	return Array.from(bytes, (byte) => idAlphabet[byte & 31]).join('');
}

const hexOf = (kind: string, number: number) => createHash('sha256').update(`${kind} ${number}`).digest('hex');
export const domainName = (number: number) => `d${String(number).padStart(5, '0')}.example`;

export function estateSettings(): PolicyInput['settings'] {
	return {
		hostname: 'mta.example.net',
		listeners: null,
		relayHosts: [],
		relayHostsOverride: [],
		tlsName: null,
		defaultPool: 'main',
		campaignHeader: null,
		httpApi: 'trusted',
		httpApiVerifier: null,
		logs: { directory: '/var/log/kumomta', maxSegmentSeconds: 10 },
		spool: { directory: '/var/spool/kumomta', kind: 'RocksDB', minFreePercent: 10 },
		monitorGlobs: []
	};
}

function estateSource(number: number): PolicyInput['sources'][number] {
	const parts = { name: `Out ${number}`, address: `192.0.2.${number}`, ehloDomain: `out${number}.example.net` };
	return { id: estateId('source', number), ...parts, kumoName: kumoSourceName(parts) };
}

/** A hosting company as plain data: every domain with a key, every sender with a password, nothing wrong anywhere. */
export function estateInput({ domains, senders }: EstateSize): PolicyInput {
	const perDomain = Math.ceil(senders / domains);
	return {
		settings: estateSettings(),
		sources: [1, 2].map(estateSource),
		pools: ['main', 'warm'].map((name, index) => ({
			id: estateId('pool', index),
			name,
			entries: [{ sourceId: estateId('source', index + 1), weight: 1 }]
		})),
		domains: numbers(domains).map((number) => ({
			id: estateId('domain', number),
			name: domainName(number),
			bounceHost: `bounce.${domainName(number)}`,
			acceptAnyReturnPath: true,
			reportFailures: true,
			suppression: true,
			complaintAddress: null
		})),
		dkimKeys: numbers(domains).map((number) => ({
			id: estateId('key', number),
			domainId: estateId('domain', number),
			selector: 'k1',
			algorithm: 'rsa-2048' as const,
			state: 'active' as const,
			privateKeyHash: hexOf('key', number)
		})),
		senders: numbers(senders).map((number) => estateSender(number, Math.floor(number / perDomain))),
		mailboxes: numbers(Math.min(domains, 100)).map((number) => ({
			id: estateId('mailbox', number),
			domainId: estateId('domain', number),
			address: `replies@bounce.${domainName(number)}`,
			enabled: true,
			login: number % 3 === 2 ? null : { hash: estateBcrypt(number), quotaBytes: 1_048_576 * (1 + (number % 5)) }
		})),
		tombstones: { senders: [{ tenant: 'gone.example', pool: 'main' }], pools: ['former'] }
	};
}

/** Of the right shape; nothing verifies against it. */
export const estateBcrypt = (number: number) => `$2b$10$${hexOf('bcrypt', number).slice(0, 53)}`;

function estateSender(number: number, domain: number): PolicyInput['senders'][number] {
	const local = `s${String(number).padStart(6, '0')}`;
	const hash = hexOf('verifier', number);
	return {
		id: estateId('sender', number),
		domainId: estateId('domain', domain),
		address: `${local}@${domainName(domain)}`,
		tenant: `${local}.${domainName(domain)}`,
		poolId: estateId('pool', number % 10 === 0 ? 1 : 0),
		fromPolicy: 'address',
		status: number % 50 === 49 ? 'paused' : 'enabled',
		limit: number % 3 === 0 ? { count: 2000, unit: 'hour' } : null,
		retryIntervalSeconds: null,
		maxAgeSeconds: number % 7 === 0 ? 259_200 : null,
		verifier: { salt: hash.slice(0, 32), hash, iterations: 1 }
	};
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);
const unitNames = { second: 'perSecond', minute: 'perMinute', hour: 'perHour', day: 'perDay' } as const;

/** Puts an input into a migrated, empty database: 100,000 senders in a few seconds. */
export async function fillDatabase(client: Client, input: PolicyInput, now = 1): Promise<void> {
	const { settings } = input;
	const poolIds = new Map(input.pools.map(({ id, name }) => [name, id]));
	await insert(
		client,
		'sources (id, name, address, ehlo_domain, created_at)',
		input.sources,
		({ id, name, address, ehloDomain }) => [id, name, address, ehloDomain, now]
	);
	await insert(client, 'pools (id, name, created_at)', input.pools, ({ id, name }) => [id, name, now]);
	const entries = input.pools.flatMap(({ id, entries }) => entries.map((entry) => ({ poolId: id, ...entry })));
	await insert(client, 'pool_sources (pool_id, source_id, weight)', entries, (entry) => [
		entry.poolId,
		entry.sourceId,
		entry.weight
	]);
	await insert(client, 'removed_pools (name, removed_at, kept_until_at)', input.tombstones.pools, (name) => [
		name,
		now,
		now
	]);
	await insert(
		client,
		'settings (id, hostname, listeners, relay_hosts, relay_hosts_override, tls_name, default_pool_id, campaign_header, http_api, resolvers, logs, spool, monitor_globs, updated_at)',
		[settings],
		(row) => [
			1,
			row.hostname,
			row.listeners && JSON.stringify(row.listeners),
			JSON.stringify(row.relayHosts),
			JSON.stringify(row.relayHostsOverride),
			row.tlsName,
			row.defaultPool === null ? null : (poolIds.get(row.defaultPool) ?? null),
			row.campaignHeader,
			row.httpApi,
			'[]',
			JSON.stringify({ ...row.logs, retentionDays: 30 }),
			JSON.stringify(row.spool),
			JSON.stringify(row.monitorGlobs),
			now
		]
	);
	await fillDomains(client, input, now);
	await fillSenders(client, input, now);
}

async function fillDomains(client: Client, input: PolicyInput, now: number): Promise<void> {
	await insert(
		client,
		'domains (id, name, bounce_host, accept_any_return_path, complaint_address, report_failures, suppression, dmarc, created_at)',
		input.domains,
		(row) => [
			row.id,
			row.name,
			row.bounceHost,
			Number(row.acceptAnyReturnPath),
			row.complaintAddress,
			Number(row.reportFailures),
			Number(row.suppression),
			'{"policy":"none"}',
			now
		]
	);
	await insert(
		client,
		'dkim_keys (id, domain_id, selector, algorithm, state, public_key, sealed_private_key, private_key_hash, created_at, dns_status)',
		input.dkimKeys,
		(row) => [
			row.id,
			row.domainId,
			row.selector,
			row.algorithm,
			row.state,
			'AAAA',
			'v2:sealed',
			row.privateKeyHash,
			now,
			'ok'
		]
	);
	await insert(
		client,
		'bounce_accounts (id, domain_id, local_part, address, password_hash, quota_bytes, retention_days, notes, enabled, created_at)',
		input.mailboxes,
		(row) => [
			row.id,
			row.domainId,
			row.address.split('@')[0] ?? '',
			row.address,
			row.login?.hash ?? null,
			row.login?.quotaBytes ?? 1_000_000,
			30,
			'',
			Number(row.enabled),
			now
		]
	);
}

async function fillSenders(client: Client, input: PolicyInput, now: number): Promise<void> {
	await insert(
		client,
		'senders (id, domain_id, local_part, address, tenant, pool_id, from_policy, status, limit_count, limit_unit, retry_interval_seconds, max_age_seconds, password_salt, password_verifier, password_iterations, created_at)',
		input.senders,
		(row) => [
			row.id,
			row.domainId,
			row.address.split('@')[0] ?? '',
			row.address,
			row.tenant,
			row.poolId,
			row.fromPolicy,
			row.status,
			row.limit?.count ?? null,
			row.limit === null ? null : unitNames[row.limit.unit],
			row.retryIntervalSeconds,
			row.maxAgeSeconds,
			row.verifier?.salt ?? null,
			row.verifier?.hash ?? null,
			row.verifier?.iterations ?? null,
			now
		]
	);
	await insert(
		client,
		'removed_senders (tenant, pool_name, removed_at, kept_until_at)',
		input.tombstones.senders,
		({ tenant, pool }) => [tenant, pool, now, now]
	);
}

type Cell = string | number | null;

/** A thousand rows a statement, unpacked by the database from one JSON text: one call each instead of a thousand. */
async function insert<Row>(client: Client, into: string, rows: Row[], cells: (row: Row) => Cell[]): Promise<void> {
	const columns = into.split(',').length;
	const values = Array.from({ length: columns }, (_, index) => `value ->> ${index}`).join(', ');
	for (let start = 0; start < rows.length; start += 1000) {
		const json = JSON.stringify(rows.slice(start, start + 1000).map(cells));
		await client.execute({ sql: `INSERT INTO ${into} SELECT ${values} FROM json_each(?)`, args: [json] });
	}
}
