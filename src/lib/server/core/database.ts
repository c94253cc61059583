import { AsyncLocalStorage } from 'node:async_hooks';
import type { Client, InStatement, ResultSet, Transaction } from '@libsql/client';
import type { LibSQLDatabase } from 'drizzle-orm/libsql';
import { openClient } from './open-client.ts';

/** The panel's database: drizzle over one libSQL client whose writes stand in one queue. */
export interface Database {
	db: Db;
	/** For statements that drizzle does not speak, and for read snapshots: `client.transaction('read')`. */
	client: Client;
	close(): void;
}

export type Db = LibSQLDatabase;
/** What a service takes that runs alone or inside its caller's transaction. */
export type DbOrTransaction = Db | Parameters<Parameters<Db['transaction']>[0]>[0];

const insideTransaction = new AsyncLocalStorage<true>();

/**
 * Opens the database at a URL; the HTTP client is loaded only when the URL asks for it.
 * Nothing else in this process may open an embedded file: two SQLite libraries on one file drop each other's POSIX
 * locks, and an acknowledged commit is lost.
 * @param options.timeoutMs how long a libSQL server may take for one answer.
 * @throws EnvError when there is no usable database.
 */
export async function openDatabase(
	url: string,
	options: { authToken?: string | undefined; timeoutMs?: number } = {}
): Promise<Database> {
	const client = serialiseWrites(await openClient(url, options));
	const { drizzle } = await import('drizzle-orm/libsql/sqlite3');
	const db = drizzle({ client });
	const transaction = db.transaction.bind(db);
	db.transaction = (work, config) => transaction((tx) => insideTransaction.run(true, () => work(tx)), config);
	return { db, client, close: () => client.close() };
}

/**
 * One queue for everything that writes. A second write beside an open transaction would wait on the same thread that
 * must finish the first: the event loop would stand still for the whole busy timeout and the write would fail.
 */
function serialiseWrites(client: Client): Client {
	const queue = createQueue();
	const written = <T>(work: () => Promise<T>) => queue.run(() => healing(client, work));
	return new Proxy(client, {
		get(target, property, receiver) {
			if (property === 'execute') {
				return (statement: InStatement, args?: unknown) => {
					const run = () =>
						(target.execute as (...all: unknown[]) => Promise<ResultSet>)(
							...(args === undefined ? [statement] : [statement, args])
						);
					return isRead(statement) ? run() : written(run);
				};
			}
			if (property === 'batch')
				return (...args: Parameters<Client['batch']>) =>
					args[1] === 'read' ? target.batch(...args) : written(() => target.batch(...args));
			if (property === 'migrate')
				return (...args: Parameters<Client['migrate']>) => written(() => target.migrate(...args));
			if (property === 'executeMultiple')
				return (...args: Parameters<Client['executeMultiple']>) => written(() => target.executeMultiple(...args));
			if (property === 'transaction') {
				return async (mode?: 'write' | 'read' | 'deferred') => {
					if (mode === 'read') return target.transaction('read');
					const release = await queue.enter();
					try {
						return releasing(client, await healing(client, () => target.transaction('write')), release);
					} catch (error) {
						release();
						throw error;
					}
				};
			}
			const value: unknown = Reflect.get(target, property, receiver === client ? receiver : target);
			return typeof value === 'function' ? (value as (...all: unknown[]) => unknown).bind(target) : value;
		}
	});
}

function isRead(statement: InStatement): boolean {
	const sql = typeof statement === 'string' ? statement : statement.sql;
	return /^\s*(?:select|explain|pragma)\b/i.test(sql);
}

function createQueue() {
	let last: Promise<void> = Promise.resolve();
	async function enter(): Promise<() => void> {
		if (insideTransaction.getStore())
			throw new Error('A write outside the open transaction would wait for itself. Pass the transaction on.');
		const before = last;
		let release = () => {};
		last = new Promise<void>((resolve) => (release = resolve));
		await before;
		return release;
	}
	async function run<T>(work: () => Promise<T>): Promise<T> {
		const release = await enter();
		try {
			return await work();
		} finally {
			release();
		}
	}
	return { enter, run };
}

/** Lets the next writer in when the transaction ends, however it ends. */
function releasing(client: Client, transaction: Transaction, release: () => void): Transaction {
	const ending = (name: 'commit' | 'rollback') => async () => {
		try {
			await healing(client, () => transaction[name]());
		} finally {
			if (name === 'rollback' || transaction.closed) release();
		}
	};
	const close = () => {
		transaction.close();
		release();
	};
	return new Proxy(transaction, {
		get(target, property) {
			if (property === 'commit' || property === 'rollback') return ending(property);
			if (property === 'close') return close;
			const value: unknown = Reflect.get(target, property, target);
			return typeof value === 'function' ? (value as (...all: unknown[]) => unknown).bind(target) : value;
		}
	});
}

/**
 * After SQLITE_BUSY the failed statement stays open and every later commit on that connection fails: connect anew. A
 * server closes a failed statement itself, and connecting anew would break off what others have under way there.
 */
async function healing<T>(client: Client, work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (error) {
		const isBusy = error instanceof Error && String((error as { code?: unknown }).code).startsWith('SQLITE_BUSY');
		if (isBusy && client.protocol === 'file') client.reconnect();
		throw error;
	}
}
