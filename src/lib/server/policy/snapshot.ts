import type { Client, InValue, Transaction } from '@libsql/client';
import { pbkdf2Sync, createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inArray } from 'drizzle-orm';
import type { App } from '../app.ts';
import type { Db } from '../core/database.ts';
import { dkimKeys } from '../dkim/tables.ts';
import { getSettingsRow } from '../settings/service.ts';
import { kumoSourceName } from '../sources/service.ts';
import type { PageKind } from './parse.ts';

/** One page of a table: a JSON array of arrays, made by the database. */
export type Page = [kind: PageKind, json: string];

/** Rows a page: 3 to 4 ms of the event loop each. */
const pageSize = 1000;

/**
 * Columns in the order that parse.ts reads; the key comes first and is unique. Senders come last: they are judged as
 * they pass; a page is a range of an index, so the last costs what the first does.
 */
const pageQueries: Record<Exclude<PageKind, 'settings'>, { from: string; key: string; columns: string[] }> = {
	source: { from: 'sources', key: 'address', columns: ['address', 'id', 'name', 'ehlo_domain'] },
	pool: { from: 'pools', key: 'name', columns: ['name', 'id'] },
	pool_source: {
		from: 'pool_sources',
		key: "pool_id || ' ' || source_id",
		columns: ["pool_id || ' ' || source_id", 'pool_id', 'source_id', 'weight']
	},
	removed_pool: { from: 'removed_pools', key: 'name', columns: ['name'] },
	domain: {
		from: 'domains',
		key: 'name',
		columns: [
			'name',
			'id',
			'bounce_host',
			'accept_any_return_path',
			'complaint_address',
			'report_failures',
			'suppression'
		]
	},
	dkim_key: {
		from: 'dkim_keys',
		key: 'id',
		columns: ['id', 'domain_id', 'selector', 'algorithm', 'state', 'private_key_hash']
	},
	removed_sender: { from: 'removed_senders', key: 'tenant', columns: ['tenant', 'pool_name'] },
	mailbox: {
		from: 'bounce_accounts',
		key: 'address',
		columns: ['address', 'id', 'domain_id', 'enabled', 'password_hash', 'quota_bytes']
	},
	sender: {
		from: 'senders',
		key: 'address',
		columns: [
			'address',
			'id',
			'domain_id',
			'tenant',
			'pool_id',
			'from_policy',
			'status',
			'limit_count',
			'limit_unit',
			'retry_interval_seconds',
			'max_age_seconds',
			'password_salt',
			'password_verifier',
			'password_iterations'
		]
	}
};

/**
 * All features' tables as one moment saw them, in pages, from an embedded file and a libSQL server alike.
 * @param take is given each page, and the next waits for it; the answer names the state (see `readMarks`).
 */
export async function readSnapshot(app: App, take: (page: Page) => Promise<void>): Promise<string> {
	const transaction = await app.database.client.transaction('read');
	try {
		const marks = await readMarks(transaction);
		await take(['settings', JSON.stringify([await settingsRow(app, transaction)])]);
		for (const [kind, query] of Object.entries(pageQueries)) {
			for await (const page of pages(transaction, query)) {
				await take([kind as PageKind, kind === 'source' ? withKumoNames(page) : page]);
				await nextTurn();
			}
		}
		return marks;
	} finally {
		transaction.close();
	}
}

async function* pages(transaction: Transaction, { from, key, columns }: (typeof pageQueries)['sender']) {
	const select = columns.map((column, index) => `${column} AS c${index}`).join(', ');
	const array = columns.map((_, index) => `c${index}`).join(', ');
	const sql = `SELECT json_group_array(json_array(${array})) AS page, max(c0) AS last, count(*) AS size
		FROM (SELECT ${select} FROM ${from} WHERE ${key} > ? ORDER BY ${key} LIMIT ${pageSize})`;
	for (let after: InValue = ''; ;) {
		const row = (await transaction.execute({ sql, args: [after] })).rows[0];
		if (row === undefined || Number(row.size) === 0) return;
		yield row.page as string;
		if (Number(row.size) < pageSize) return;
		after = row.last as string;
	}
}

/** A source's name in KumoMTA, as a last column. */
function withKumoNames(page: string): string {
	const rows = JSON.parse(page) as [address: string, id: string, name: string, ehloDomain: string][];
	return JSON.stringify(
		rows.map(([address, id, name, ehloDomain]) => [
			address,
			id,
			name,
			ehloDomain,
			kumoSourceName({ name, address, ehloDomain })
		])
	);
}

/** The counters of all features' changes, as one text: equal texts mean that nothing a revision is made of changed. */
export async function readMarks(client: Pick<Client, 'execute'>): Promise<string> {
	const { rows } = await client.execute('SELECT feature, counter FROM change_marks ORDER BY feature');
	return rows.map(({ feature, counter }) => `${feature as string}:${counter as number}`).join(' ');
}

async function settingsRow(app: App, transaction: Transaction): Promise<unknown[]> {
	const { drizzle } = await import('drizzle-orm/libsql/sqlite3');
	const row = await getSettingsRow(drizzle({ client: transaction as unknown as Client }));
	return [
		row.hostname,
		row.listeners,
		row.relayHosts,
		row.relayHostsOverride,
		row.tlsName,
		row.defaultPoolId,
		row.campaignHeader,
		row.httpApi,
		row.httpApi === 'credential' && row.httpApiPassword !== null ? apiVerifier(app, row.httpApiPassword) : null,
		{ directory: row.logs.directory, maxSegmentSeconds: row.logs.maxSegmentSeconds },
		row.spool,
		row.monitorGlobs
	];
}

/**
 * PBKDF2-HMAC-SHA256, one iteration: the credential is 192 random bits. The salt comes from the credential itself, so that
 * the same settings have the same hash.
 */
function apiVerifier(app: App, sealed: string): { salt: string; hash: string } {
	const password = app.keys.panel.open(sealed, 'settings.httpApi.password').open();
	const salt = createHash('sha256').update(`kumomta-ui http api salt ${password}`).digest().subarray(0, 16);
	return { salt: salt.toString('hex'), hash: pbkdf2Sync(password, salt, 1, 32, 'sha256').toString('hex') };
}

/** Sealed private keys by id, for those whose file is missing. @param ids at most 500 at a time. */
export async function sealedKeys(db: Db, ids: string[]): Promise<Map<string, string>> {
	if (ids.length === 0) return new Map();
	const rows = await db
		.select({ id: dkimKeys.id, sealed: dkimKeys.sealedPrivateKey })
		.from(dkimKeys)
		.where(inArray(dkimKeys.id, ids));
	return new Map(rows.map(({ id, sealed }) => [id, sealed]));
}
