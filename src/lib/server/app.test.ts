import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openTestApp, temporaryDirectory } from '../../../tests/support/app.ts';
import { openApp } from './app.ts';
import { EnvError, readEnv } from './core/env.ts';

it.each([0o755, 0o777, 0o750])('closes a data directory that was there with mode %o', async (mode) => {
	const dataDir = join(temporaryDirectory(), 'data');
	mkdirSync(dataDir);
	chmodSync(dataDir, mode);
	const app = await openTestApp({ env: { DATA_DIR: dataDir, DATABASE_URL: `file:${join(dataDir, 'panel.db')}` } });
	app.close();
	expect(statSync(dataDir).mode & 0o777).toBe(0o700);
	for (const name of ['panel.db', 'secret.key', 'applier.key'])
		expect(statSync(join(dataDir, name)).mode & 0o777).toBe(0o600);
});

it('does not start in a directory that everybody shares', async () => {
	const dataDir = temporaryDirectory();
	chmodSync(dataDir, 0o1777);
	await expect(openApp(readEnv({ DATA_DIR: dataDir, KUMOMTA_ROOT: join(dataDir, 'kumomta') }))).rejects.toThrow(
		/^The environment variable DATA_DIR /
	);
	expect(existsSync(join(dataDir, 'secret.key'))).toBe(false);
	expect(statSync(dataDir).mode & 0o7777).toBe(0o1777);
});

it('closes a database file that was there, and what lies beside it, before it is opened', async () => {
	const dataDir = join(temporaryDirectory(), 'data');
	const path = join(temporaryDirectory(), 'elsewhere.db');
	const env = { DATA_DIR: dataDir, KUMOMTA_ROOT: join(dataDir, 'kumomta'), DATABASE_URL: `file://${path}` };
	(await openTestApp({ env })).close();
	chmodSync(path, 0o644);
	const app = await openTestApp({ env });
	for (const name of [path, `${path}-wal`, `${path}-shm`]) expect(statSync(name).mode & 0o777).toBe(0o600);
	app.close();
});

it.each([
	[
		'in a directory that does not exist',
		(directory: string) => join(directory, 'none/panel.db'),
		/can neither be opened/
	],
	['that is none', (directory: string) => textFile(directory), /is not a database/]
])('does not start with a database file %s, and says so in a sentence', async (_, pathIn, message) => {
	const directory = temporaryDirectory();
	const env = { DATABASE_URL: `file:${pathIn(directory)}` };
	const refusal: unknown = await openTestApp({ env }).catch((error: unknown) => error);
	expect(refusal).toBeInstanceOf(EnvError);
	expect((refusal as Error).message).toMatch(message);
	expect((refusal as Error).message).not.toContain(directory);
});

function textFile(directory: string): string {
	const path = join(directory, 'panel.db');
	writeFileSync(path, 'not a database, but long enough to be taken for one by its size alone\n'.repeat(100));
	return path;
}
