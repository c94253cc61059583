import { asc, eq, inArray } from 'drizzle-orm';
import { z } from 'zod';
import type { App } from '../app.ts';
import type { DbOrTransaction } from '../core/database.ts';
import { notFound } from '../core/errors.ts';
import { dkimKeys } from '../dkim/tables.ts';
import { domains } from '../domains/tables.ts';
import { poolSources } from '../pools/tables.ts';
import { senders } from '../senders/tables.ts';
import { getSettings } from '../settings/service.ts';
import { sources } from '../sources/tables.ts';
import { checkRecords } from './check.ts';
import { dnsNotes } from './notes.ts';
import { expectedRecords } from './records.ts';
import type { ExpectedInput } from './records.ts';
import { createResolver } from './resolver.ts';
import type { DnsLookup } from './resolver.ts';
import type { CheckedRecord } from './verdict.ts';
import { zoneFile } from './zone.ts';

const dnsRecord = z.object({
	/** The same for the same record at each call. */
	id: z.string(),
	kind: z.enum(['spf', 'dkim', 'dmarc', 'report', 'mx', 'address', 'ptr']),
	type: z.enum(['A', 'AAAA', 'PTR', 'MX', 'TXT']),
	/** Full name without trailing dot, A-labels. */
	name: z.string(),
	value: z.string(),
	parts: z.array(z.string()),
	zone: z.string(),
	ttl: z.int(),
	purpose: z.string()
});

const note = z.object({ kind: z.enum(['missing', 'info']), message: z.string() });
const status = z.enum(['ok', 'missing', 'mismatch', 'unknown']);

/** What `domains.dns` answers. */
export const dnsRecords = z.object({ records: z.array(dnsRecord), notes: z.array(note), zoneFile: z.string() });

/** What `domains.checkDns` answers. */
export const checkedDnsRecords = z.object({
	records: z.array(dnsRecord.extend({ status, found: z.array(z.string()), advice: z.string() })),
	notes: z.array(note),
	zoneFile: z.string(),
	checkedAt: z.int()
});

/** One look-up in all, retries included. */
const lookupTimeoutMs = 4000;

export { isInside, isPublicAddress, reversedLabels } from './blocks.ts';
export { createResolver } from './resolver.ts';
export type { Answer, DnsLookup } from './resolver.ts';
export { sourceNames } from './source-names.ts';

/** What a domain must publish, without asking the DNS. Throws NOT_FOUND for an unknown id. */
export async function domainRecords(db: DbOrTransaction, id: string): Promise<z.infer<typeof dnsRecords>> {
	const input = await getExpectedInput(db, id);
	const records = expectedRecords(input);
	return { records, notes: dnsNotes(input), zoneFile: zoneFile(input.domain.name, records) };
}

/**
 * Looks everything up that a domain must publish, merges SPF with what is there, and stores on each key what was seen of
 * it. Asks the resolvers of Settings, else the system's. Throws NOT_FOUND for an unknown id, never for a failing DNS.
 */
export async function checkDomain(app: App, id: string, given?: DnsLookup): Promise<z.infer<typeof checkedDnsRecords>> {
	const input = await getExpectedInput(app.db, id);
	const lookup =
		given ?? createResolver({ servers: (await getSettings(app.db)).resolvers, timeoutMs: lookupTimeoutMs });
	const records = await checkRecords(expectedRecords(input), lookup);
	const checkedAt = app.clock();
	await storeKeyStatus(app, records, checkedAt);
	return { records, notes: dnsNotes(input), zoneFile: zoneFile(input.domain.name, records), checkedAt };
}

async function getExpectedInput(db: DbOrTransaction, id: string): Promise<ExpectedInput> {
	const [domain] = await db
		.select({ name: domains.name, bounceHost: domains.bounceHost, dmarc: domains.dmarc })
		.from(domains)
		.where(eq(domains.id, id))
		.limit(1);
	if (domain === undefined) throw notFound('domain');
	const keys = await db
		.select({
			id: dkimKeys.id,
			selector: dkimKeys.selector,
			algorithm: dkimKeys.algorithm,
			publicKey: dkimKeys.publicKey,
			state: dkimKeys.state
		})
		.from(dkimKeys)
		.where(eq(dkimKeys.domainId, id))
		.orderBy(asc(dkimKeys.createdAt), asc(dkimKeys.id));
	const { hostname, defaultPoolId } = await getSettings(db);
	return { domain, keys, sources: await listSources(db, id, defaultPoolId), hostname };
}

/**
 * The sources that a domain's mail may leave from: those in the pools of its senders and in the default pool (which also
 * serves removed senders), whatever their weight. While that names none, all sources: DNS comes before senders.
 */
async function listSources(
	db: DbOrTransaction,
	domainId: string,
	defaultPoolId: string | null
): Promise<ExpectedInput['sources']> {
	const used = await db.selectDistinct({ id: senders.poolId }).from(senders).where(eq(senders.domainId, domainId));
	const poolIds = [...new Set([...used.map(({ id }) => id), ...(defaultPoolId === null ? [] : [defaultPoolId])])];
	const columns = {
		id: sources.id,
		address: sources.address,
		publicAddress: sources.publicAddress,
		ehloDomain: sources.ehloDomain
	};
	const inPools = await db
		.selectDistinct(columns)
		.from(sources)
		.innerJoin(poolSources, eq(poolSources.sourceId, sources.id))
		.where(inArray(poolSources.poolId, poolIds))
		.orderBy(asc(sources.address));
	return inPools.length > 0 ? inPools : db.select(columns).from(sources).orderBy(asc(sources.address));
}

/** One statement for each status, not for each key. A key removed meanwhile is not there to be written to. */
async function storeKeyStatus(app: App, records: CheckedRecord[], checkedAt: number): Promise<void> {
	for (const each of status.options) {
		const ids = records
			.filter((record) => record.kind === 'dkim' && record.status === each)
			.map((record) => record.id.slice('dkim-'.length));
		if (ids.length > 0) {
			await app.db.update(dkimKeys).set({ dnsStatus: each, dnsCheckedAt: checkedAt }).where(inArray(dkimKeys.id, ids));
		}
	}
}
