import { z } from 'zod';

/**
 * Everything a revision is made of, as plain data. The snapshot builds it from the database, which is not trusted: it is
 * parsed here again before anything is rendered. Arrays are ordered by their key, so that equal data has an equal hash.
 */

const hostname = z
	.string()
	.max(253)
	.regex(/^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/);
/** Dot-atom and host name (RFC 5322 section 3.2.3), lower case. */
const address = z
	.string()
	.max(254)
	.regex(
		/^(?=[^@]{1,64}@)[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[a-z0-9_][a-z0-9._-]{0,252}$/
	);
const itemId = z.string().regex(/^[a-z0-9]{16}$/);
/** Alphabet that KumoMTA's queue names, ready-queue names and metrics survive. */
const poolName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
const sourceName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,70}$/);
const tenant = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,79}$/);
const ipAddress = z.union([z.ipv4(), z.ipv6()]);
const cidr = z.union([z.cidrv4(), z.cidrv6()]);
const hex = z
	.string()
	.max(128)
	.regex(/^(?:[0-9a-f]{2})+$/);
const selector = z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/);
const absolutePath = z
	.string()
	.max(255)
	.regex(/^\/[A-Za-z0-9._/-]*$/)
	.refine((path) => !path.split('/').includes('..'));

export const policyListener = z.strictObject({
	address: ipAddress,
	port: z.int().min(1).max(65_535),
	purpose: z.enum(['inbound', 'submission', 'relay'])
});

export const policySettings = z.strictObject({
	hostname: hostname.nullable(),
	/** Null: the default listeners, 0.0.0.0:25 inbound and 0.0.0.0:587 submission. */
	listeners: z.array(policyListener).max(64).nullable(),
	relayHosts: z.array(cidr).max(1000),
	relayHostsOverride: z.array(cidr).max(1000),
	tlsName: z
		.string()
		.regex(/^[a-z0-9][a-z0-9.-]{0,252}$/)
		.nullable(),
	defaultPool: poolName.nullable(),
	campaignHeader: z
		.string()
		.regex(/^[A-Za-z0-9-]{1,64}$/)
		.nullable(),
	httpApi: z.enum(['trusted', 'credential']),
	/** PBKDF2-HMAC-SHA256, one iteration, of the panel's Basic credential; null in `trusted` mode. */
	httpApiVerifier: z.strictObject({ salt: hex, hash: hex.length(64) }).nullable(),
	logs: z.strictObject({ directory: absolutePath, maxSegmentSeconds: z.int().min(1).max(86_400) }),
	spool: z.strictObject({
		directory: absolutePath,
		kind: z.enum(['LocalDisk', 'RocksDB']),
		minFreePercent: z.int().min(1).max(50)
	}),
	/** More files whose change starts a new configuration epoch, beside the live init.lua. */
	monitorGlobs: z
		.array(
			z
				.string()
				.max(255)
				.regex(/^\/[A-Za-z0-9._/*{},-]*$/)
				.refine((path) => !path.includes('..'))
		)
		.max(20)
});

export const policySource = z.strictObject({
	id: itemId,
	/** The panel's name; `kumoName` is `<slug>-<6 hex of address and EHLO>`, so that an edit is a new source to KumoMTA. */
	name: z
		.string()
		.min(1)
		.max(64)
		.refine((name) => !/[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f]/u.test(name)),
	kumoName: sourceName,
	address: ipAddress,
	ehloDomain: hostname
});

export const policyPool = z.strictObject({
	id: itemId,
	name: poolName,
	entries: z.array(z.strictObject({ sourceId: itemId, weight: z.int().min(0).max(100) })).max(1000)
});

export const policyDomain = z.strictObject({
	id: itemId,
	name: hostname,
	bounceHost: hostname,
	acceptAnyReturnPath: z.boolean(),
	reportFailures: z.boolean(),
	suppression: z.boolean(),
	complaintAddress: address.nullable()
});

export const policyDkimKey = z.strictObject({
	id: itemId,
	domainId: itemId,
	selector,
	algorithm: z.enum(['rsa-2048', 'rsa-4096', 'ed25519']),
	/** Only keys that sign travel. */
	state: z.literal('active'),
	/** Of the PEM as it is written. The sealed key itself does not travel: a stage fetches those whose file is missing. */
	privateKeyHash: hex.length(64)
});

export const policySender = z.strictObject({
	id: itemId,
	domainId: itemId,
	address,
	tenant,
	poolId: itemId,
	fromPolicy: z.enum(['address', 'domain']),
	status: z.enum(['enabled', 'paused']),
	limit: z
		.strictObject({ count: z.int().min(1).max(1_000_000_000), unit: z.enum(['second', 'minute', 'hour', 'day']) })
		.nullable(),
	retryIntervalSeconds: z.int().min(1).max(604_800).nullable(),
	maxAgeSeconds: z.int().min(60).max(2_592_000).nullable(),
	/** PBKDF2-HMAC-SHA256 (RFC 8018); null: no password is set, nobody can authenticate. */
	verifier: z.strictObject({ salt: hex, hash: hex.length(64), iterations: z.int().min(1).max(4096) }).nullable()
});

export const policyMailbox = z.strictObject({
	id: itemId,
	domainId: itemId,
	address,
	enabled: z.boolean(),
	/** What Dovecot checks: bcrypt in modular crypt format, bytes. Null: no password is set, nobody can read the mail. */
	login: z
		.strictObject({
			hash: z.string().regex(/^\$2[aby]\$(?:0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}$/),
			quotaBytes: z.int().min(1)
		})
		.nullable()
});

export const policyTombstones = z.strictObject({
	/** Removed senders whose spooled mail still needs a pool. */
	senders: z.array(z.strictObject({ tenant, pool: poolName })),
	/** Removed pools: no entries, mail waits. */
	pools: z.array(poolName)
});

export const policyInput = z.strictObject({
	settings: policySettings,
	sources: z.array(policySource),
	pools: z.array(policyPool),
	domains: z.array(policyDomain),
	dkimKeys: z.array(policyDkimKey),
	senders: z.array(policySender),
	mailboxes: z.array(policyMailbox),
	tombstones: policyTombstones
});

export type PolicyInput = z.infer<typeof policyInput>;
/** All but the senders, which pass one by one: a hundred thousand of them need no memory. */
export type PolicyHead = Omit<PolicyInput, 'senders'>;
export type PolicySettings = z.infer<typeof policySettings>;
export type PolicySource = z.infer<typeof policySource>;
export type PolicyPool = z.infer<typeof policyPool>;
export type PolicyDomain = z.infer<typeof policyDomain>;
export type PolicyDkimKey = z.infer<typeof policyDkimKey>;
export type PolicySender = z.infer<typeof policySender>;
export type PolicyMailbox = z.infer<typeof policyMailbox>;
