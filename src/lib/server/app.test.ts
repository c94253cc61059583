import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openTestApp, temporaryDirectory } from '../../../tests/support/app.ts';
import { openApp } from './app.ts';
import { readEnv } from './core/env.ts';

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
