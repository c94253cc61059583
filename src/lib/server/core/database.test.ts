import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { pools } from '../pools/tables.ts';
import { assetPath } from './assets.ts';
import { openDatabase } from './database.ts';
import type { Database } from './database.ts';
import { createLog } from './log.ts';
import { migrate, MigrationError, readJournal } from './migrations.ts';

const silent = createLog('error', () => {});

async function openMigrated(): Promise<{ database: Database; path: string; dataDir: string; url: string }> {
	const dataDir = mkdtempSync(join(tmpdir(), 'panel-db-'));
	const path = join(dataDir, 'panel.db');
	const database = await openDatabase(`file:${path}`);
	await migrate(database, { url: `file:${path}`, dataDir, log: silent });
	return { database, path, dataDir, url: `file:${path}` };
}

/** As an older version left it: without the last migrations. */
async function openBefore(last: number): Promise<{ database: Database; dataDir: string; url: string }> {
	const dataDir = mkdtempSync(join(tmpdir(), 'panel-db-'));
	const url = `file:${join(dataDir, 'panel.db')}`;
	const database = await openDatabase(url);
	const made = 'CREATE TABLE __drizzle_migrations (id INTEGER PRIMARY KEY, hash text NOT NULL, created_at numeric)';
	await database.client.execute(made);
	for (const { tag, when } of readJournal().slice(0, -last)) {
		await database.client.executeMultiple(readFileSync(join(assetPath('migrations'), `${tag}.sql`), 'utf8'));
		const args = [tag, when];
		await database.client.execute({ sql: 'INSERT INTO __drizzle_migrations(hash, created_at) VALUES (?, ?)', args });
	}
	return { database, dataDir, url };
}

const pool = (name: string) => ({ name, createdAt: 1 });
const pragma = async (run: { execute: (statement: string) => Promise<{ rows: unknown[] }> }, name: string) =>
	Object.values((await run.execute(`PRAGMA ${name}`)).rows[0] as object)[0] as unknown;

describe('every connection', () => {
	it('enforces foreign keys, waits when busy and writes ahead, inside transactions and batches too', async () => {
		const { database } = await openMigrated();
		const transactions = [
			await database.client.transaction('read'),
			await database.client.transaction('read'),
			await database.client.transaction('write')
		];
		for (const connection of [database.client, ...transactions]) {
			expect(await pragma(connection, 'foreign_keys')).toBe(1);
			expect(await pragma(connection, 'busy_timeout')).toBe(5000);
			expect(await pragma(connection, 'journal_mode')).toBe('wal');
		}
		for (const transaction of transactions) transaction.close();
		database.close();
	});

	it.each([
		[
			'foreign key',
			"INSERT INTO senders(id, domain_id, local_part, address, tenant, pool_id, from_policy, status, created_at) VALUES ('s', 'nobody', 'a', 'a@b', 't', 'nothing', 'address', 'enabled', 1)",
			/FOREIGN KEY/
		],
		['unique', "INSERT INTO pools(id, name, created_at) VALUES ('b', 'main', 1)", /UNIQUE/],
		['check', "INSERT INTO pool_sources(pool_id, source_id, weight) VALUES ('a', 'x', 101)", /CHECK/]
	])('refuses a broken %s in a transaction', async (_, statement, message) => {
		const { database } = await openMigrated();
		await database.client.execute("INSERT INTO pools(id, name, created_at) VALUES ('a', 'main', 1)");
		const transaction = await database.client.transaction('write');
		await expect(transaction.execute(statement).then(() => transaction.commit())).rejects.toThrow(message);
		await transaction.rollback();
		database.close();
	});
});

describe('the write queue', () => {
	it('lets transactions, writes and reads run at once, each whole', async () => {
		const { database } = await openMigrated();
		const transfers = Array.from({ length: 60 }, (_, index) =>
			database.db.transaction(async (tx) => {
				await tx.insert(pools).values(pool(`t${index}-a`));
				await new Promise((resolve) => setImmediate(resolve));
				await tx.insert(pools).values(pool(`t${index}-b`));
			})
		);
		const writes = Array.from({ length: 60 }, (_, index) => database.db.insert(pools).values(pool(`w${index}`)));
		const reads = Array.from({ length: 60 }, async () => {
			const rows = await database.db
				.select({ name: pools.name })
				.from(pools)
				.where(sql`name like 't%'`);
			expect(rows.length % 2).toBe(0);
		});
		await Promise.all([...transfers, ...writes, ...reads]);
		expect(await database.db.$count(pools)).toBe(180);
		database.close();
	});

	it('goes on after a failed transaction, a failed commit and a throwing callback', async () => {
		const { database } = await openMigrated();
		await database.db.insert(pools).values(pool('taken'));
		await expect(database.db.transaction((tx) => tx.insert(pools).values(pool('taken')))).rejects.toThrow();
		await expect(
			database.db.transaction(async (tx) => {
				await tx.insert(pools).values(pool('gone'));
				throw new Error('changed my mind');
			})
		).rejects.toThrow('changed my mind');
		await database.db.insert(pools).values(pool('after'));
		expect(
			(await database.db.select({ name: pools.name }).from(pools).orderBy(pools.name)).map(({ name }) => name)
		).toEqual(['after', 'taken']);
		database.close();
	});

	it('refuses a write beside the open transaction of the same caller instead of waiting for itself', async () => {
		const { database } = await openMigrated();
		await expect(
			database.db.transaction(async () => void (await database.db.insert(pools).values(pool('outside'))))
		).rejects.toHaveProperty('cause.message', expect.stringContaining('outside the open transaction'));
		await database.db.insert(pools).values(pool('later'));
		expect(await database.db.$count(pools)).toBe(1);
		database.close();
	});

	it('recovers when another process held the lock', async () => {
		const { database, path } = await openMigrated();
		const holder = `import { DatabaseSync } from 'node:sqlite';
			const db = new DatabaseSync(${JSON.stringify(path)});
			db.exec('BEGIN IMMEDIATE');
			process.stdout.write('held');
			process.stdin.once('data', () => { db.exec('ROLLBACK'); db.close(); process.exit(0); });`;
		const other = spawn(process.execPath, ['--input-type=module', '-e', holder], { stdio: ['pipe', 'pipe', 'ignore'] });
		await once(other.stdout, 'data');
		await database.client.execute('PRAGMA busy_timeout = 20');
		await expect(
			database.client.execute("INSERT INTO pools(id, name, created_at) VALUES ('x', 'busy', 1)")
		).rejects.toThrow(/SQLITE_BUSY/);
		other.stdin.write('go');
		await once(other, 'exit');
		await database.db.transaction((tx) => tx.insert(pools).values(pool('after')));
		expect((await database.db.select({ name: pools.name }).from(pools)).map(({ name }) => name)).toEqual(['after']);
		database.close();
	});
});

describe('migrations', () => {
	it('refuse a database that a newer version made, and touch nothing', async () => {
		const { database, url, dataDir } = await openMigrated();
		await database.client.execute({
			sql: 'INSERT INTO __drizzle_migrations(hash, created_at) VALUES (?, ?)',
			args: ['future', (readJournal().at(-1)?.when ?? 0) + 1]
		});
		await expect(migrate(database, { url, dataDir, log: silent })).rejects.toThrow(MigrationError);
		expect(existsSync(join(dataDir, 'backups'))).toBe(false);
		database.close();
	});

	it('copy the database before the first change, readable by the owner only', async () => {
		const { database, url, dataDir } = await openBefore(1);
		await database.db.insert(pools).values(pool('kept'));
		await migrate(database, { url, dataDir, log: silent });
		const [copy] = readdirSync(join(dataDir, 'backups'));
		expect(copy).toMatch(/^panel-before-.+\.db$/);
		expect(statSync(join(dataDir, 'backups', copy ?? '')).mode & 0o777).toBe(0o600);
		const opened = join(dataDir, 'copy.db');
		copyFileSync(join(dataDir, 'backups', copy ?? ''), opened);
		const old = await openDatabase(`file:${opened}`);
		expect((await old.client.execute('SELECT name FROM pools')).rows.map((row) => row['name'])).toEqual(['kept']);
		old.close();
		database.close();
	});

	it('raise the change mark of a feature with every write, cascades included', async () => {
		const { database } = await openMigrated();
		const mark = async (feature: string) =>
			Number(
				(await database.client.execute({ sql: 'SELECT counter FROM change_marks WHERE feature = ?', args: [feature] }))
					.rows[0]?.['counter']
			);
		await database.client.executeMultiple(`
			INSERT INTO pools(id, name, created_at) VALUES ('p', 'main', 1);
			INSERT INTO domains(id, name, bounce_host, accept_any_return_path, dmarc, created_at) VALUES ('d', 'a.example', 'bounce.a.example', 1, '{}', 1);
			INSERT INTO senders(id, domain_id, local_part, address, tenant, pool_id, from_policy, status, created_at) VALUES ('s', 'd', 'x', 'x@a.example', 'x.a.example', 'p', 'address', 'enabled', 1);
		`);
		const before = await mark('senders');
		await database.client.execute("DELETE FROM domains WHERE id = 'd'");
		expect(await mark('senders')).toBe(before + 1);
		expect(
			(await database.client.execute('SELECT count(*) AS n FROM senders_search WHERE senders_search MATCH \'"a.ex"\''))
				.rows[0]?.['n']
		).toBe(0);
		database.close();
	});
});
