import { sql } from 'drizzle-orm';
import type { DbOrTransaction } from '../core/database.ts';
import { newId } from '../core/id.ts';
import type { Credential } from './credential.ts';
import { freeTenant, numberedNames, tenantName } from './tenant.ts';

/** A sender of an import; `credential` is null when the row sets no password. */
export interface SenderToWrite {
	/** Null: a new sender. */
	id: string | null;
	domainId: string;
	domainName: string;
	localPart: string;
	address: string;
	poolId: string;
	fromPolicy: 'address' | 'domain';
	limitCount: number | null;
	limitUnit: string | null;
	credential: Credential | null;
}

export interface StoredSender {
	id: string;
	address: string;
	poolId: string;
	fromPolicy: 'address' | 'domain';
	limitCount: number | null;
	limitUnit: string | null;
}

/** Which of these addresses are senders, in one statement. */
export async function findSenders(db: DbOrTransaction, addresses: string[]): Promise<Map<string, StoredSender>> {
	const rows = await db.all<StoredSender>(sql`select id, address, pool_id as poolId, from_policy as fromPolicy,
		limit_count as limitCount, limit_unit as limitUnit
		from senders where address in (select value from json_each(${JSON.stringify(addresses)}))`);
	return new Map(rows.map((row) => [row.address, row]));
}

/**
 * Writes a chunk of senders in two statements; the caller keeps chunks small, so that nothing else in the process waits
 * long, and holds the transaction.
 */
export async function writeSenders(tx: DbOrTransaction, rows: SenderToWrite[], now: number): Promise<void> {
	const [created, updated] = [rows.filter(({ id }) => id === null), rows.filter(({ id }) => id !== null)];
	if (created.length > 0) await insertRows(tx, await withTenants(tx, created), now);
	if (updated.length > 0) await updateRows(tx, updated);
}

async function withTenants(
	tx: DbOrTransaction,
	rows: SenderToWrite[]
): Promise<(SenderToWrite & { tenant: string })[]> {
	const names = rows.map(({ localPart, domainName }) => tenantName(localPart, domainName));
	const taken = await takenAmong(tx, names);
	const named: (SenderToWrite & { tenant: string })[] = [];
	for (const [index, row] of rows.entries()) {
		const name = names[index] ?? '';
		if (taken.has(name)) for (const each of await numberedTenants(tx, name)) taken.add(each);
		const tenant = freeTenant(name, taken);
		taken.add(tenant);
		named.push({ ...row, tenant });
	}
	return named;
}

/** Tenants of living and removed senders among these names. */
async function takenAmong(tx: DbOrTransaction, names: string[]): Promise<Set<string>> {
	const list = JSON.stringify(names);
	const rows = await tx.all<{ tenant: string }>(sql`
		select tenant from senders where tenant in (select value from json_each(${list}))
		union select tenant from removed_senders where tenant in (select value from json_each(${list}))`);
	return new Set(rows.map(({ tenant }) => tenant));
}

/** The name's own and its numbered tenants, living and removed: a new sender must not inherit spooled mail. */
export async function numberedTenants(tx: DbOrTransaction, name: string): Promise<string[]> {
	const { first, end } = numberedNames(name);
	const rows = await tx.all<{ tenant: string }>(sql`
		select tenant from senders where tenant = ${name} or (tenant >= ${first} and tenant < ${end})
		union select tenant from removed_senders where tenant = ${name} or (tenant >= ${first} and tenant < ${end})`);
	return rows.map(({ tenant }) => tenant);
}

const field = (name: string) => sql`value ->> ${sql.raw(`'${name}'`)}`;
const credentialField = (name: keyof Credential) => sql`value ->> ${sql.raw(`'$.credential.${name}'`)}`;

async function insertRows(
	tx: DbOrTransaction,
	rows: (SenderToWrite & { tenant: string })[],
	now: number
): Promise<void> {
	const list = JSON.stringify(rows.map((row) => ({ ...row, id: newId() })));
	await tx.run(sql`insert into senders (id, domain_id, local_part, address, tenant, pool_id, from_policy, status,
			limit_count, limit_unit, password_salt, password_verifier, password_iterations, password_generated, password_set_at,
			created_at, version)
		select ${field('id')}, ${field('domainId')}, ${field('localPart')}, ${field('address')}, ${field('tenant')},
			${field('poolId')}, ${field('fromPolicy')}, 'enabled', ${field('limitCount')}, ${field('limitUnit')},
			${credentialField('passwordSalt')}, ${credentialField('passwordVerifier')}, ${credentialField('passwordIterations')},
			${credentialField('passwordGenerated')}, ${credentialField('passwordSetAt')}, ${now}, 1
		from json_each(${list})`);
}

async function updateRows(tx: DbOrTransaction, rows: SenderToWrite[]): Promise<void> {
	const keep = (column: string, name: keyof Credential) =>
		sql`${sql.raw(column)} = coalesce(${credentialField(name)}, ${sql.raw(column)})`;
	await tx.run(sql`update senders set pool_id = ${field('poolId')}, from_policy = ${field('fromPolicy')},
			limit_count = ${field('limitCount')}, limit_unit = ${field('limitUnit')},
			${keep('password_salt', 'passwordSalt')}, ${keep('password_verifier', 'passwordVerifier')},
			${keep('password_iterations', 'passwordIterations')}, ${keep('password_generated', 'passwordGenerated')},
			${keep('password_set_at', 'passwordSetAt')}, version = version + 1
		from json_each(${JSON.stringify(rows)}) where senders.id = ${field('id')}`);
}
