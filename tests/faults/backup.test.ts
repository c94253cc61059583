import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Secret } from '../../src/lib/server/core/secret.ts';
import { createBackup } from '../../src/lib/server/backup/create.ts';
import { placesBelow } from '../../src/lib/server/backup/places.ts';
import { rehearse, restore } from '../../src/lib/server/backup/restore.ts';
import { undoUnfinishedRestore } from '../../src/lib/server/backup/start.ts';
import { openTestApp, temporaryDirectory } from '../support/app.ts';
import { fillEstate, testHost } from '../support/policy-app.ts';

const passphrase = new Secret('a long enough passphrase');
const child = join(import.meta.dirname, '../support/restore-child.ts');
const backupChild = join(import.meta.dirname, '../support/backup-child.ts');

async function backupOf(domains: number): Promise<string> {
	const app = await openTestApp({ host: testHost() });
	await fillEstate({ client: app.database.client, keys: app.keys }, { domains, senders: 5 });
	const dkim = join(app.env.kumomtaRoot, 'etc/dkim/d1.example');
	mkdirSync(dkim, { recursive: true });
	writeFileSync(join(dkim, 's1.key'), `key of ${domains}`, { mode: 0o600 });
	return (await createBackup(app, { sealWith: { passphrase } })).id;
}

/** What a start would find: everything that counts, without leftovers of staging, locks and what was kept. */
function state(dataDir: string): Record<string, string> {
	return Object.fromEntries(
		readdirSync(dataDir, { recursive: true, withFileTypes: true })
			.filter((entry) => entry.isFile())
			.map((entry) => join(entry.parentPath, entry.name).slice(dataDir.length + 1))
			.filter((path) => !/\.restore-|\.restore\.lock|\.replaced-/.test(path))
			.map((path) => [path, readFileSync(join(dataDir, path), 'base64')])
	);
}

it('kill -9 at every point of a restore leaves the old state, at least a hundred times', async () => {
	const [first, second] = [await backupOf(2), await backupOf(3)];
	const model = join(temporaryDirectory(), 'panel');
	await restore({ file: first, openWith: { passphrase }, places: placesBelow(model), owners: {}, at: 0 });
	const before = state(model);
	let killed = 0;
	for (let number = 0; killed < 100; number += 1) {
		const dataDir = join(temporaryDirectory(), 'panel');
		cpSync(model, dataDir, { recursive: true });
		const { signal, stdout, stderr } = spawnSync(process.execPath, [child, second, dataDir, String(number)], {
			encoding: 'utf8'
		});
		if (signal === 'SIGKILL') {
			killed += 1;
			undoUnfinishedRestore(dataDir);
			expect(state(dataDir), `killed at point ${number}`).toEqual(before);
			continue;
		}
		expect(stdout, stderr).toBe('done');
		expect(state(dataDir)['kumomta/etc/dkim/d1.example/s1.key']).toBe(Buffer.from('key of 3').toString('base64'));
		expect(existsSync(join(dataDir, '.restore-plan.json'))).toBe(false);
		expect(number).toBeGreaterThan(10);
		number = -1;
	}
	expect(killed).toBe(100);
});

it('kill -9 at every point of a backup leaves no file that is not whole, and the next one works', async () => {
	const model = join(temporaryDirectory(), 'panel');
	const wish = { file: await backupOf(2), openWith: { passphrase }, owners: {}, at: 0 };
	await restore({ ...wish, places: placesBelow(model) });
	const backups = join(model, 'backups');
	let killed = 0;
	for (let number = 0; ; number += 1) {
		const { signal, stdout, stderr } = spawnSync(process.execPath, [backupChild, model, String(number)], {
			encoding: 'utf8'
		});
		const made = readdirSync(backups).filter((name) => name.endsWith('.backup'));
		for (const name of made) {
			const { findings } = await rehearse(join(backups, name), { passphrase });
			expect(findings, `${name}, killed at point ${number}`).toContain('The key files open a sealed DKIM key.');
			rmSync(join(backups, name));
		}
		if (signal !== 'SIGKILL') {
			expect([stdout, made.length], stderr).toEqual(['done', 1]);
			break;
		}
		killed += 1;
	}
	expect(killed).toBeGreaterThan(7);
	// What killed runs left is removed once it cannot belong to one that is at work.
	const left = readdirSync(backups);
	expect(left.length).toBeGreaterThan(0);
	const twoHoursAgo = Date.now() / 1000 - 7200;
	for (const name of left) utimesSync(join(backups, name), twoHoursAgo, twoHoursAgo);
	expect(spawnSync(process.execPath, [backupChild, model, '1000'], { encoding: 'utf8' }).stdout).toBe('done');
	expect(readdirSync(backups)).toHaveLength(1);
});
