import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openApp } from '../../src/lib/server/app.ts';
import type { App } from '../../src/lib/server/app.ts';
import { openDatabase } from '../../src/lib/server/core/database.ts';
import { readEnv } from '../../src/lib/server/core/env.ts';
import { createLog } from '../../src/lib/server/core/log.ts';
import { migrate } from '../../src/lib/server/core/migrations.ts';
import type { Caller } from '../../src/lib/server/core/trpc.ts';
import { createCaller } from '../../src/lib/server/router.ts';

export interface TestApp extends App {
	/** Everything that was logged, as it would stand on standard error. */
	logLines: string[];
}

interface TestAppOptions {
	clock?: () => number;
	/** What the test expects of this machine, which has no addresses unless told; any other use of it fails. */
	host?: Partial<App['host']>;
	/** What the test expects of KumoMTA's API; any other use of it fails. */
	kumod?: Partial<App['kumod']>;
	/** What KumoMTA is said to have counted; a cache of its own, which nobody fills, unless told. */
	metrics?: App['metrics'];
	env?: Record<string, string>;
}

const cleanups: (() => void)[] = [];
let template: Promise<string> | undefined;

afterAll(() => {
	for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

/** A moment that only the test moves. */
export function testClock(at = Date.UTC(2026, 0, 5, 12)): { now: () => number; advance: (ms: number) => void } {
	return { now: () => at, advance: (ms) => void (at += ms) };
}

/** The whole app on a directory of its own with a migrated database file; gone when the test file ends. */
export async function openTestApp({
	clock = testClock().now,
	host,
	kumod,
	metrics,
	env = {}
}: TestAppOptions = {}): Promise<TestApp> {
	const dataDir = temporaryDirectory();
	copyFileSync(await (template ??= migratedDatabase()), join(dataDir, 'panel.db'));
	const logLines: string[] = [];
	const app = await openApp(readEnv({ DATA_DIR: dataDir, KUMOMTA_ROOT: join(dataDir, 'kumomta'), ...env }), {
		clock,
		log: createLog('debug', (line) => logLines.push(line)),
		host: expectedOnly('host', { interfaces: () => [], ...host }),
		kumod: expectedOnly('kumod', kumod),
		...(metrics && { metrics })
	});
	cleanups.push(() => app.close());
	return { ...app, logLines };
}

export const testUser: Caller = {
	actor: 'testuser22222222',
	name: 'ops@example.net',
	userId: 'testuser22222222',
	sessionId: null
};

/** The procedures, called by a signed-in user. */
export function caller(app: App, who: Caller = testUser) {
	return createCaller(app, who, 'test');
}

/** A directory that is removed when the test file ends. */
export function temporaryDirectory(): string {
	const directory = mkdtempSync(join(tmpdir(), 'kumomta-ui-test-'));
	cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
	return directory;
}

/** Migrations run once in a test file; each app then starts from a copy of the closed file. */
async function migratedDatabase(): Promise<string> {
	const dataDir = temporaryDirectory();
	const path = join(dataDir, 'panel.db');
	const database = await openDatabase(`file:${path}`);
	await migrate(database, { url: `file:${path}`, dataDir, log: createLog('error') });
	await database.client.execute('PRAGMA wal_checkpoint(TRUNCATE)');
	database.close();
	return path;
}

/** An object that has what the test gave it and fails on everything else. */
function expectedOnly<T extends object>(name: string, given: Partial<T> = {}): T {
	return new Proxy(given, {
		get(target, property) {
			if (property in target || typeof property === 'symbol') return Reflect.get(target, property) as unknown;
			throw new Error(`The test did not expect a use of ${name}.${property}.`);
		}
	}) as T;
}
