import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { undoUnfinishedRestore } from './backup/start.ts';
import { createBudget } from './core/budget.ts';
import type { Budget } from './core/budget.ts';
import { openDatabase } from './core/database.ts';
import type { Database, Db } from './core/database.ts';
import { EnvError } from './core/env.ts';
import type { Env } from './core/env.ts';
import { openKeys } from './core/key-files.ts';
import type { Keys } from './core/key-files.ts';
import { createLog } from './core/log.ts';
import type { Log } from './core/log.ts';
import { migrate } from './core/migrations.ts';
import { createHost } from './host/host.ts';
import type { Host } from './host/host.ts';
import { createKumod } from './kumod/client.ts';
import type { Kumod } from './kumod/client.ts';
import { createMetricsCache } from './kumod/metrics-cache.ts';
import type { MetricsCache } from './kumod/metrics-cache.ts';

/** Everything a feature may need from outside itself. Tests build it from the same parts and replace some. */
export interface App {
	env: Env;
	log: Log;
	/** Milliseconds since 1970 UTC. */
	clock: () => number;
	database: Database;
	db: Db;
	keys: Keys;
	budget: Budget;
	/** This machine: processes, files, services, network interfaces. */
	host: Host;
	/** KumoMTA's HTTP API. */
	kumod: Kumod;
	/** What KumoMTA counted in the last 15 minutes, and whether it answers. */
	metrics: MetricsCache;
	close(): void;
}

/** Opens the keys and the database (migrated), touching nothing of KumoMTA. The only place where parts are put together. */
export async function openApp(
	env: Env,
	given: Partial<Pick<App, 'log' | 'clock' | 'host' | 'kumod' | 'metrics'>> = {}
): Promise<App> {
	process.umask(0o077);
	prepareDataDir(env.dataDir);
	const log = given.log ?? createLog(env.logLevel);
	if (undoUnfinishedRestore(env.dataDir)) log.warn('a restore that was cut off was taken back');
	const keys = openKeys(env.dataDir, env.applier?.results);
	closeDatabaseFile(env.databaseUrl);
	const database = await openDatabase(env.databaseUrl, { authToken: env.databaseAuthToken });
	try {
		await migrate(database, { url: env.databaseUrl, dataDir: env.dataDir, log });
	} catch (error) {
		database.close();
		throw error;
	}
	const clock = given.clock ?? Date.now;
	const kumod = given.kumod ?? createKumod(env.kumodApi);
	const metrics = given.metrics ?? createMetricsCache(kumod, clock);
	return {
		env,
		log,
		clock,
		database,
		db: database.db,
		keys,
		budget: createBudget(clock),
		host: given.host ?? createHost(),
		kumod,
		metrics,
		close() {
			metrics.close();
			database.close();
		}
	};
}

/** A file that was there before is closed to others before it is opened: what SQLite lays beside it takes its mode. */
function closeDatabaseFile(url: string): void {
	if (!url.startsWith('file:')) return;
	const path = url.slice('file:'.length);
	for (const each of [path, `${path}-wal`, `${path}-shm`]) if (existsSync(each)) chmodSync(each, 0o600);
}

/** Nobody else looks in (0700), also when the directory was there before the panel. */
function prepareDataDir(path: string): void {
	mkdirSync(path, { recursive: true, mode: 0o700 });
	const { mode } = statSync(path);
	if ((mode & 0o077) === 0) return;
	if ((mode & 0o1000) !== 0)
		throw new EnvError(
			'The environment variable DATA_DIR is not usable: it names a directory that everybody shares. Nothing was started. Name one that belongs to the panel alone.'
		);
	chmodSync(path, 0o700);
}
