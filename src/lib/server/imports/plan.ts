import { createHash } from 'node:crypto';
import { sql } from 'drizzle-orm';
import type { DbOrTransaction } from '../core/database.ts';
import type { Secret } from '../core/secret.ts';
import { pools } from '../pools/tables.ts';
import { findSenders } from '../senders/service.ts';
import type { SenderToWrite, StoredSender } from '../senders/service.ts';
import { getSettingsRow } from '../settings/service.ts';
import { parseRow, readHeader } from './columns.ts';
import type { Column, ParsedRow, RowError } from './columns.ts';
import { readCsv } from './csv.ts';

export type Effect = 'domain-created' | 'key-requested' | 'sender-created' | 'sender-updated' | 'unchanged';

export interface PlannedRow {
	line: number;
	domain: string | null;
	address: string | null;
	effects: Effect[];
	/** Of an updated sender. */
	changes: ('pool' | 'fromPolicy' | 'limit' | 'password')[];
	errors: RowError[];
}

export interface Summary {
	rows: number;
	domainsCreated: number;
	sendersCreated: number;
	sendersUpdated: number;
	unchanged: number;
	keysRequested: number;
	/** Lines with at least one error. */
	errors: number;
}

/** A sender still without the ids that only the commit makes, and with its password as it was typed. */
export type PlannedSender = Omit<SenderToWrite, 'domainId' | 'credential'> & { password: Secret | null };

export interface Plan {
	rows: PlannedRow[];
	summary: Summary;
	/** Over the sealed text and every effect: what was reviewed is what a commit does, or it is refused. */
	hash: string;
	newDomains: string[];
	keyDomains: string[];
	senders: PlannedSender[];
}

const rowsAtOnce = 250;
const maxRows = 200_000;

/** Lets everything else in the process run between two pieces of work. */
export const breathe = () => new Promise<void>((resolve) => setImmediate(resolve));

/**
 * What an import would do to the database as it is now, line by line.
 * @param seal stands for the uploaded text in the hash, without being a hash of passwords.
 */
export async function planImport(db: DbOrTransaction, text: string, seal: string): Promise<Plan> {
	const state = await readState(db);
	const rows: PlannedRow[] = [];
	for await (const chunk of readRows(text)) {
		await lookUp(db, state, chunk);
		for (const row of chunk) rows.push(planRow(state, row));
		await breathe();
	}
	refuseSharedNames(state);
	return { rows, ...finish(state, rows, seal) };
}

interface State {
	poolIds: Map<string, string>;
	defaultPoolId: string | null;
	knownDomains: Set<string>;
	/** Names that are a domain's bounce host already. */
	bounceHosts: Set<string>;
	newDomains: Map<string, PlannedRow>;
	keyDomains: Set<string>;
	stored: Map<string, StoredSender>;
	/** Line of the file that names an address. */
	seen: Map<string, number>;
	senders: PlannedSender[];
}

async function readState(db: DbOrTransaction): Promise<State> {
	const names = await db.select({ id: pools.id, name: pools.name }).from(pools);
	return {
		poolIds: new Map(names.map(({ id, name }) => [name, id])),
		defaultPoolId: (await getSettingsRow(db)).defaultPoolId,
		knownDomains: new Set(),
		bounceHosts: new Set(),
		newDomains: new Map(),
		keyDomains: new Set(),
		stored: new Map(),
		seen: new Map(),
		senders: []
	};
}

async function* readRows(text: string): AsyncGenerator<ParsedRow[]> {
	const records = readCsv(text);
	const first = records.next();
	const header = readHeader(first.done ? undefined : first.value);
	if ('error' in header) yield [{ ...empty, line: 1, errors: [header.error] }];
	else yield* chunksOf(records, header.columns);
}

const empty = { domain: null, localPart: null, pool: null, fromPolicy: null, limit: null, password: null, dkim: null };

function* chunksOf(records: ReturnType<typeof readCsv>, columns: Column[]): Generator<ParsedRow[]> {
	let chunk: ParsedRow[] = [];
	let count = 0;
	for (const record of records) {
		count += 1;
		if (count > maxRows) {
			const message = `An import holds at most ${maxRows.toLocaleString('en')} lines. Split the file.`;
			yield [...chunk, { ...empty, line: record.line, errors: [{ column: '', message }] }];
			return;
		}
		chunk.push(parseRow(record, columns));
		if (chunk.length === rowsAtOnce) {
			yield chunk;
			chunk = [];
		}
	}
	yield chunk;
}

async function lookUp(db: DbOrTransaction, state: State, rows: ParsedRow[]): Promise<void> {
	const names = [...new Set(rows.flatMap(({ domain }) => (domain === null ? [] : [domain, bounceHostOf(domain)])))];
	const list = JSON.stringify(names);
	const found = await db.all<{ name: string; isDomain: number }>(sql`
		select name, 1 as isDomain from domains where name in (select value from json_each(${list}))
		union all select bounce_host, 0 from domains where bounce_host in (select value from json_each(${list}))`);
	for (const { name, isDomain } of found) (isDomain === 1 ? state.knownDomains : state.bounceHosts).add(name);
	const addresses = rows.flatMap(({ domain, localPart }) =>
		domain === null || localPart === null ? [] : [`${localPart}@${domain}`]
	);
	state.stored = await findSenders(db, addresses);
}

/** What a new domain gets; the same default as `domains.create`. */
export const bounceHostOf = (domain: string) => `bounce.${domain}`;

function planRow(state: State, row: ParsedRow): PlannedRow {
	const address = row.domain === null || row.localPart === null ? null : `${row.localPart}@${row.domain}`;
	const planned: PlannedRow = {
		line: row.line,
		domain: row.domain,
		address,
		effects: [],
		changes: [],
		errors: [...row.errors]
	};
	if (planned.errors.length > 0 || row.domain === null) return planned;
	const sender = address === null ? undefined : planSender(state, row, planned, address);
	if (planned.errors.length > 0) return planned;
	planDomain(state, row, row.domain, planned);
	if (sender !== undefined) state.senders.push(sender);
	if (planned.effects.length === 0) planned.effects.push('unchanged');
	return planned;
}

/** A new domain gets a key unless the line says no; one that exists gets one only when the line says yes. */
function planDomain(state: State, row: ParsedRow, domain: string, planned: PlannedRow): void {
	const isNew = !state.knownDomains.has(domain) && !state.newDomains.has(domain);
	if (isNew) {
		state.newDomains.set(domain, planned);
		planned.effects.push('domain-created');
	}
	if (!(row.dkim ?? isNew) || state.keyDomains.has(domain)) return;
	state.keyDomains.add(domain);
	planned.effects.push('key-requested');
}

function planSender(state: State, row: ParsedRow, planned: PlannedRow, address: string): PlannedSender | undefined {
	const refuse = (column: Column, message: string) => void planned.errors.push({ column, message });
	const earlier = state.seen.get(address);
	if (earlier !== undefined) return refuse('sender', `Line ${earlier} names this sender already.`);
	state.seen.set(address, row.line);
	if (address.length > 254) return refuse('sender', 'The whole address may have at most 254 characters.');
	const stored = state.stored.get(address);
	const poolId = row.pool === null ? (stored?.poolId ?? state.defaultPoolId) : state.poolIds.get(row.pool);
	if (poolId === undefined) return refuse('pool', 'There is no pool of this name.');
	if (poolId === null) return refuse('pool', 'Name a pool, or choose a default pool in Settings.');
	const next = {
		poolId,
		fromPolicy: row.fromPolicy ?? stored?.fromPolicy ?? 'address',
		limitCount: row.limit?.count ?? stored?.limitCount ?? null,
		limitUnit: row.limit?.unit ?? stored?.limitUnit ?? null
	};
	if (stored === undefined) planned.effects.push('sender-created');
	else {
		planned.changes = changesOf(stored, next, row.password);
		if (planned.changes.length === 0) return undefined;
		planned.effects.push('sender-updated');
	}
	return {
		id: stored?.id ?? null,
		domainName: row.domain ?? '',
		localPart: row.localPart ?? '',
		address,
		...next,
		password: row.password
	};
}

function changesOf(
	stored: StoredSender,
	next: Omit<StoredSender, 'id' | 'address'>,
	password: Secret | null
): PlannedRow['changes'] {
	const changes: PlannedRow['changes'] = [];
	if (stored.poolId !== next.poolId) changes.push('pool');
	if (stored.fromPolicy !== next.fromPolicy) changes.push('fromPolicy');
	if (stored.limitCount !== next.limitCount || stored.limitUnit !== next.limitUnit) changes.push('limit');
	if (password !== null) changes.push('password');
	return changes;
}

/** A name is either one domain or one bounce host, since mail to it is treated differently. */
function refuseSharedNames({ newDomains, knownDomains, bounceHosts }: State): void {
	for (const [name, planned] of newDomains) {
		const host = bounceHostOf(name);
		const refuse = (message: string) => planned.errors.push({ column: 'domain', message });
		if (bounceHosts.has(name)) refuse('This name is the bounce host of a domain.');
		else if (knownDomains.has(host) || bounceHosts.has(host))
			refuse(`${host} is a domain or a bounce host already, so this domain has no bounce host. Add it by hand.`);
		else if (newDomains.has(host)) refuse(`${host} would be its bounce host, but another line makes it a domain.`);
	}
}

function finish(state: State, rows: PlannedRow[], seal: string): Omit<Plan, 'rows'> {
	const hash = createHash('sha256').update(seal);
	const summary: Summary = {
		rows: rows.length,
		domainsCreated: state.newDomains.size,
		sendersCreated: 0,
		sendersUpdated: 0,
		unchanged: 0,
		keysRequested: state.keyDomains.size,
		errors: 0
	};
	for (const row of rows) {
		hash.update(JSON.stringify(row));
		if (row.errors.length > 0) summary.errors += 1;
		else if (row.effects.includes('sender-created')) summary.sendersCreated += 1;
		else if (row.effects.includes('sender-updated')) summary.sendersUpdated += 1;
		else if (row.effects.includes('unchanged')) summary.unchanged += 1;
	}
	for (const { poolId } of state.senders) hash.update(poolId);
	return {
		summary,
		hash: hash.digest('hex'),
		newDomains: [...state.newDomains.keys()],
		keyDomains: [...state.keyDomains],
		senders: state.senders
	};
}
