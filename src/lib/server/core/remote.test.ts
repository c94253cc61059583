import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openTestApp, temporaryDirectory } from '../../../../tests/support/app.ts';
import { startLibsqlDouble } from '../../../../tests/support/libsql-double.ts';
import type { LibsqlDouble, LibsqlDoubleOptions } from '../../../../tests/support/libsql-double.ts';
import { pools } from '../pools/tables.ts';
import { openDatabase } from './database.ts';
import type { Database } from './database.ts';
import { EnvError } from './env.ts';
import { sqliteCode } from './errors.ts';
import { createLog } from './log.ts';
import { migrate, MigrationError, readJournal } from './migrations.ts';

const doubles: LibsqlDouble[] = [];
const lines: string[] = [];
const log = createLog('debug', (line) => lines.push(line));

afterAll(async () => {
	for (const double of doubles) await double.stop();
});

async function startServer(options: Partial<LibsqlDoubleOptions> = {}): Promise<LibsqlDouble> {
	const server = await startLibsqlDouble({ directory: temporaryDirectory(), ...options });
	doubles.push(server);
	return server;
}

async function openMigrated(
	options: { timeoutMs?: number } = {}
): Promise<{ server: LibsqlDouble; database: Database }> {
	const server = await startServer();
	const migrating = await openDatabase(server.url, { authToken: server.token });
	await migrate(migrating, { url: server.url, dataDir: temporaryDirectory(), log });
	migrating.close();
	return { server, database: await openDatabase(server.url, { authToken: server.token, ...options }) };
}

const refusalOf = (opening: Promise<unknown>) =>
	opening.then(
		() => undefined,
		(error: unknown) => error as Error
	);
/** Of the error or of what it wraps: drizzle wraps what a statement met, and a commit nothing. */
const codeOf = (error: unknown): unknown =>
	error instanceof Error ? ((error as { code?: unknown }).code ?? codeOf(error.cause)) : undefined;
const pool = (name: string) => ({ name, createdAt: 1 });
const names = async ({ db }: Database) =>
	(await db.select({ name: pools.name }).from(pools).orderBy(pools.name)).map(({ name }) => name);

describe('a libSQL server that the panel must not use', () => {
	it('is refused with a wrong token or none, which stands nowhere', async () => {
		const server = await startServer();
		for (const authToken of ['another-token-entirely', undefined]) {
			const refusal = await refusalOf(openDatabase(server.url, { authToken }));
			expect(refusal).toBeInstanceOf(EnvError);
			expect(refusal?.message).toMatch(/does not accept DATABASE_AUTH_TOKEN\. Nothing was started\./);
			expect(`${refusal?.stack} ${String(refusal?.cause)}`).not.toMatch(/another-token|127\.0\.0\.1/);
		}
		const env = { DATABASE_URL: server.url, DATABASE_AUTH_TOKEN: 'another-token-entirely' };
		await expect(openTestApp({ env })).rejects.toBeInstanceOf(EnvError);
		expect(server.pipelines).toEqual([]);
	});

	it('is refused when its connections do not enforce foreign keys, and stays as it was', async () => {
		const server = await startServer({ foreignKeys: false });
		const env = { DATABASE_URL: server.url, DATABASE_AUTH_TOKEN: server.token };
		const refusal = await refusalOf(openTestApp({ env }));
		expect(refusal).toBeInstanceOf(EnvError);
		expect(refusal?.message).toMatch(/does not enforce foreign keys\. Nothing was started or changed\./);
		expect(server.pipelines).toEqual(['execute close']);
	});

	it.each([
		['that broke down', { status: 503 }],
		['of another kind', { status: 404 }],
		['of another protocol', { status: 200 }]
	])('is refused %s', async (_, script) => {
		const server = await startServer();
		Object.assign(server.script, script);
		const refusal = await refusalOf(openDatabase(server.url, { authToken: server.token }));
		expect(refusal).toBeInstanceOf(EnvError);
		expect(refusal?.message).toMatch(/does not answer like a libSQL server\. Nothing was started\./);
	});

	it('is refused when it answers pages', async () => {
		const server = createServer((_, response) =>
			response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')
		);
		await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
		const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
		const refusal = await refusalOf(openDatabase(url));
		server.closeAllConnections();
		server.close();
		expect(refusal).toBeInstanceOf(EnvError);
		expect(refusal?.message).toMatch(/does not answer like a libSQL server/);
	});

	it('is refused when nobody listens, and when it keeps silent', async () => {
		const server = await startServer();
		server.script.isSilent = true;
		const silent = await refusalOf(openDatabase(server.url, { authToken: server.token, timeoutMs: 100 }));
		await server.stop();
		const gone = await refusalOf(openDatabase(server.url, { authToken: server.token }));
		for (const refusal of [silent, gone]) {
			expect(refusal).toBeInstanceOf(EnvError);
			expect(refusal?.message).toMatch(/does not answer\. Nothing was started\./);
		}
	});

	it.each(['https://127.0.0.1:1?tls=0', 'libsql://127.0.0.1?tls=0'])('is refused as %s', async (url) => {
		const refusal = await refusalOf(openDatabase(url));
		expect(refusal).toBeInstanceOf(EnvError);
		expect(refusal?.message).toMatch(/DATABASE_URL is not usable/);
	});
});

it('is reached by a libsql: address without TLS too', async () => {
	const server = await startServer();
	const url = `${server.url.replace('http:', 'libsql:')}?tls=0`;
	const database = await openDatabase(url, { authToken: server.token });
	expect((await database.client.execute('SELECT 1 AS n')).rows[0]?.['n']).toBe(1);
	database.close();
});

describe('migrations on a libSQL server', () => {
	it('make what they make in a file, once', async () => {
		const { server, database } = await openMigrated();
		const dataDir = temporaryDirectory();
		const file = await openDatabase(`file:${join(dataDir, 'panel.db')}`);
		await migrate(file, { url: `file:${join(dataDir, 'panel.db')}`, dataDir, log });
		const schema = async ({ client }: Database) =>
			(await client.execute('SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name')).rows.map((row) => [
				row['type'],
				row['name'],
				row['sql']
			]);
		const made = await schema(database);
		expect(made.filter(([type]) => type === 'trigger').length).toBeGreaterThan(30);
		expect(made).toEqual(await schema(file));
		const before = server.pipelines.length;
		await migrate(database, { url: server.url, dataDir, log });
		expect(server.pipelines.slice(before)).toEqual(['execute close', 'execute close']);
		expect((await database.client.execute('SELECT count(*) AS n FROM __drizzle_migrations')).rows[0]?.['n']).toBe(
			readJournal().length
		);
		file.close();
		database.close();
	});

	it('leave nothing behind when one of them fails', async () => {
		const server = await startServer();
		const database = await openDatabase(server.url, { authToken: server.token });
		await database.client.execute('CREATE TABLE pools(id TEXT)');
		await expect(migrate(database, { url: server.url, dataDir: temporaryDirectory(), log })).rejects.toThrow();
		const tables = await database.client.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name");
		expect(tables.rows.map((row) => row['name'])).toEqual(['__drizzle_migrations', 'pools']);
		database.close();
	});

	it('refuse a database that a newer version made', async () => {
		const { server, database } = await openMigrated();
		await database.client.execute({
			sql: 'INSERT INTO __drizzle_migrations(hash, created_at) VALUES (?, ?)',
			args: ['future', (readJournal().at(-1)?.when ?? 0) + 1]
		});
		const refusal = await refusalOf(migrate(database, { url: server.url, dataDir: temporaryDirectory(), log }));
		expect(refusal).toBeInstanceOf(MigrationError);
		expect(refusal?.message).toMatch(/newer version/);
		database.close();
	});
});

describe('constraints on a libSQL server', () => {
	const broken: [string, string, string][] = [
		[
			'foreign key',
			"INSERT INTO senders(id, domain_id, local_part, address, tenant, pool_id, from_policy, status, created_at) VALUES ('s', 'nobody', 'a', 'a@b', 't', 'nothing', 'address', 'enabled', 1)",
			'SQLITE_CONSTRAINT_FOREIGNKEY'
		],
		['unique key', "INSERT INTO pools(id, name, created_at) VALUES ('b', 'main', 1)", 'SQLITE_CONSTRAINT_UNIQUE'],
		['primary key', "INSERT INTO pools(id, name, created_at) VALUES ('a', 'b', 1)", 'SQLITE_CONSTRAINT_UNIQUE'],
		['check', "INSERT INTO pool_sources(pool_id, source_id, weight) VALUES ('a', 'x', 101)", 'SQLITE_CONSTRAINT_CHECK'],
		['value', "INSERT INTO pools(id, name, created_at) VALUES ('b', NULL, 1)", 'SQLITE_CONSTRAINT_NOTNULL']
	];

	it.each(broken)(
		'refuse a broken %s alone, in a batch and in a transaction, by its name',
		async (_, statement, code) => {
			const { server, database } = await openMigrated();
			const good = "INSERT INTO pools(id, name, created_at) VALUES ('c', 'other', 1)";
			await database.client.execute("INSERT INTO pools(id, name, created_at) VALUES ('a', 'main', 1)");
			const alone = await refusalOf(database.client.execute(statement));
			const inBatch = await refusalOf(database.client.batch([good, statement], 'write'));
			const inTransaction = await refusalOf(
				database.db.transaction(async (tx) => {
					await tx.insert(pools).values(pool('other'));
					await tx.run(statement);
				})
			);
			expect([alone, inBatch, inTransaction].map(sqliteCode)).toEqual([code, code, code]);
			expect(await names(database)).toEqual(['main']);
			expect(server.openStreams()).toBe(0);
			database.close();
		}
	);
});

describe('the write queue before a libSQL server', () => {
	it('lets transactions, writes and reads run at once, each whole', async () => {
		const { server, database } = await openMigrated();
		const transfers = Array.from({ length: 15 }, (_, index) =>
			database.db.transaction(async (tx) => {
				await tx.insert(pools).values(pool(`t${index}-a`));
				await tx.insert(pools).values(pool(`t${index}-b`));
			})
		);
		const writes = Array.from({ length: 15 }, (_, index) => database.db.insert(pools).values(pool(`w${index}`)));
		const reads = Array.from({ length: 15 }, async () => {
			const seen = await names(database);
			expect(seen.filter((name) => name.startsWith('t')).length % 2).toBe(0);
		});
		await Promise.all([...transfers, ...writes, ...reads]);
		expect(await database.db.$count(pools)).toBe(45);
		expect(server.openStreams()).toBe(0);
		database.close();
	});

	it('keeps reading when another client holds the lock, and fails no read with the write that waits', async () => {
		const { server, database } = await openMigrated();
		const other = await openDatabase(server.url, { authToken: server.token });
		const holder = await other.client.transaction('write');
		await holder.execute("INSERT INTO pools(id, name, created_at) VALUES ('h', 'held', 1)");
		const waiting = database.db.insert(pools).values(pool('waited'));
		expect(await names(database)).toEqual([]);
		await holder.commit();
		await waiting;
		expect(await names(database)).toEqual(['held', 'waited']);
		other.close();
		database.close();
	});

	it('goes on after a server that stayed busy, without breaking off what is under way', async () => {
		const { server, database } = await openMigrated();
		const snapshot = await database.client.transaction('read');
		await snapshot.execute('SELECT count(*) FROM pools');
		const other = await openDatabase(server.url, { authToken: server.token });
		const holder = await other.client.transaction('write');
		await holder.execute("INSERT INTO pools(id, name, created_at) VALUES ('h', 'held', 1)");
		server.script.busyTimeoutMs = 20;
		const alone = await refusalOf(database.db.insert(pools).values(pool('late')));
		const inTransaction = await refusalOf(database.db.transaction((tx) => tx.insert(pools).values(pool('late'))));
		expect([alone, inTransaction].map(sqliteCode)).toEqual(['SQLITE_BUSY', 'SQLITE_BUSY']);
		expect((await snapshot.execute('SELECT count(*) AS n FROM pools')).rows[0]?.['n']).toBe(0);
		snapshot.close();
		await holder.rollback();
		await database.db.insert(pools).values(pool('after'));
		expect(await names(database)).toEqual(['after']);
		other.close();
		database.close();
	});
});

describe('a libSQL server that is lost', () => {
	const inTheMiddle = (server: LibsqlDouble, event: () => unknown) => {
		let statements = 0;
		server.script.onRequest = ({ type }) => {
			if (type === 'batch' && (statements += 1) === 2) return event();
		};
	};
	const transfer = ({ db }: Database) =>
		db.transaction(async (tx) => {
			await tx.insert(pools).values(pool('first'));
			await tx.insert(pools).values(pool('second'));
		});

	it.each([
		['dies', (server: LibsqlDouble) => void server.stop(), 'DATABASE_UNREACHABLE'],
		['keeps silent', (server: LibsqlDouble) => void (server.script.isSilent = true), 'DATABASE_UNREACHABLE'],
		['forgets the token', (server: LibsqlDouble) => void (server.script.status = 401), 'DATABASE_DENIED']
	])('in a transaction because it %s: an error, no row, and the next calls work', async (_, event, code) => {
		const { server, database } = await openMigrated({ timeoutMs: 1500 });
		inTheMiddle(server, () => event(server));
		const refusal = await refusalOf(transfer(database));
		expect(codeOf(refusal)).toBe(code);
		Object.assign(server.script, { onRequest: undefined, isSilent: false, status: undefined });
		await server.stop();
		await server.start();
		await transfer(database);
		expect(await names(database)).toEqual(['first', 'second']);
		database.close();
	});

	it('between two statements of a transaction, whose stream expired: nothing stays, the next transaction works', async () => {
		const { server, database } = await openMigrated();
		const refusal = await refusalOf(
			database.db.transaction(async (tx) => {
				await tx.insert(pools).values(pool('first'));
				server.expireStreams();
				await tx.insert(pools).values(pool('second'));
			})
		);
		expect(refusal).toBeInstanceOf(Error);
		expect(await names(database)).toEqual([]);
		await transfer(database);
		expect(await names(database)).toEqual(['first', 'second']);
		database.close();
	});

	it('before a commit: the transaction fails and the queue goes on', async () => {
		const { server, database } = await openMigrated();
		const refusal = await refusalOf(
			database.db.transaction(async (tx) => {
				await tx.insert(pools).values(pool('first'));
				await server.stop();
			})
		);
		expect(codeOf(refusal)).toBe('DATABASE_UNREACHABLE');
		expect(String(refusal?.message)).not.toContain(server.token);
		const meanwhile = await refusalOf(database.db.insert(pools).values(pool('meanwhile')));
		expect(codeOf(meanwhile)).toBe('DATABASE_UNREACHABLE');
		await server.start();
		await transfer(database);
		expect(await names(database)).toEqual(['first', 'second']);
		database.close();
	});
});

it('carries blobs, large numbers, text and nulls there and back', async () => {
	const { database } = await openMigrated();
	const args = [Buffer.from([0, 255, 7]), 2 ** 52 + 1, 1.5, 'ä\u{1f4e7}"\\\n', null];
	const { rows } = await database.client.execute({ sql: 'SELECT ?, CAST(? AS INTEGER), ?, ?, ?', args });
	const [blob, ...others] = Array.from(rows[0] as unknown as ArrayLike<unknown>);
	expect(Buffer.from(blob as ArrayBuffer)).toEqual(args[0]);
	expect(others).toEqual(args.slice(1));
	database.close();
});

it('runs several statements at once, and refuses what a server does not serve', async () => {
	const { database } = await openMigrated();
	await database.client.executeMultiple(
		"INSERT INTO pools(id, name, created_at) VALUES ('a', 'one', 1); INSERT INTO pools(id, name, created_at) VALUES ('b', 'two', 1)"
	);
	expect(await names(database)).toEqual(['one', 'two']);
	for (const statement of ["VACUUM INTO '/tmp/copy.db'", "ATTACH '/tmp/copy.db' AS copy", 'PRAGMA journal_mode = WAL'])
		expect(codeOf(await refusalOf(database.client.execute(statement)))).toBe('SQL_PARSE_ERROR');
	database.close();
});

it('speaks to a double that keeps to the protocol', async () => {
	const server = await startServer();
	const headers = { authorization: `Bearer ${server.token}` };
	const post = async (path: string, baton: string | null, ...requests: object[]) => {
		const response = await fetch(server.url + path, {
			method: 'POST',
			headers,
			body: JSON.stringify({ baton, requests })
		});
		return { status: response.status, body: response.ok ? await response.json() : await response.text() };
	};
	expect((await fetch(`${server.url}/v3-protobuf`)).status).toBe(404);
	expect((await fetch(`${server.url}/v3`)).status).toBe(200);
	const begin = { type: 'execute', stmt: { sql: 'BEGIN IMMEDIATE' } };
	const { body: opened } = await post('/v3/pipeline', null, begin, { type: 'get_autocommit' });
	expect(opened.results[1].response).toEqual({ type: 'get_autocommit', is_autocommit: false });
	const { body: described } = await post('/v3/pipeline', opened.baton, { type: 'describe', sql: 'SELECT 1 AS one' });
	expect(described.results[0].response.result).toMatchObject({ is_readonly: true, cols: [{ name: 'one' }] });
	expect((await post('/v3/pipeline', opened.baton, { type: 'close' })).status).toBe(400);
	const { body: closed } = await post('/v3/pipeline', described.baton, { type: 'close' });
	expect([closed.baton, server.openStreams()]).toEqual([null, 0]);
	expect((await post('/v2/pipeline', null, { type: 'get_autocommit' })).status).toBe(400);
});

it('logs no token and no address', () => {
	expect(lines.length).toBeGreaterThan(0);
	for (const double of doubles) {
		expect(lines.join('\n')).not.toContain(double.token);
		expect(lines.join('\n')).not.toContain(double.url);
	}
});
