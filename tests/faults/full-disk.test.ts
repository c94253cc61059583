import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openApp } from '../../src/lib/server/app.ts';
import type { App } from '../../src/lib/server/app.ts';
import { createBackup } from '../../src/lib/server/backup/create.ts';
import { rehearse } from '../../src/lib/server/backup/restore.ts';
import { isDiskFull } from '../../src/lib/server/core/errors.ts';
import { readEnv } from '../../src/lib/server/core/env.ts';
import { createLog } from '../../src/lib/server/core/log.ts';
import { Secret } from '../../src/lib/server/core/secret.ts';
import { createCaller } from '../../src/lib/server/router.ts';
import { temporaryDirectory, testUser } from '../support/app.ts';

/** A disk of a few megabytes of its own, which only root can make; it fills up at any moment, and nothing is lost. */

const passphrase = new Secret('a long enough passphrase');
const probe = temporaryDirectory();
const canMount =
	process.getuid?.() === 0 && spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', probe]).status === 0;
if (canMount) spawnSync('umount', [probe]);

let disk = '';
let app: App;

beforeEach(async () => {
	if (!canMount) return;
	disk = temporaryDirectory();
	expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', disk]).status).toBe(0);
	app = await open();
});

afterEach(() => {
	if (!canMount) return;
	app.close();
	expect(spawnSync('umount', ['-l', disk]).status).toBe(0);
});

const open = () => {
	const dataDir = join(disk, 'panel');
	const env = readEnv({ DATA_DIR: dataDir, KUMOMTA_ROOT: join(dataDir, 'kumomta') });
	return openApp(env, { log: createLog('error', () => {}) });
};

const freeBytes = () => {
	const { bavail, bsize } = statfsSync(disk);
	return bavail * bsize;
};
const filler = () => join(disk, 'filler');

/** Leaves so many bytes free. */
function fillUp(leave: number): void {
	rmSync(filler(), { force: true });
	writeFileSync(filler(), Buffer.alloc(Math.max(0, freeBytes() - leave)));
}

const names = async (of: App) =>
	(await of.database.client.execute('SELECT name FROM domains')).rows.map((row) => row[0] as string);

/** Makes domains until the disk refuses one. @returns the names that were acknowledged */
async function writeUntilFull(start: number): Promise<string[]> {
	const caller = createCaller(app, testUser);
	const acknowledged: string[] = [];
	for (let number = start; number < start + 2000; number += 1) {
		const name = `d${number}.example`;
		try {
			await caller.domains.create({ name });
			acknowledged.push(name);
		} catch (error) {
			expect(isDiskFull(error), String(error)).toBe(true);
			return acknowledged;
		}
	}
	throw new Error('The disk was never full.');
}

it.skipIf(!canMount)(
	'every domain that was acknowledged is there when the disk is full, afterwards and after a start',
	async () => {
		const acknowledged: string[] = [];
		for (const leave of [2_000_000, 500_000, 100_000, 0]) {
			fillUp(leave);
			acknowledged.push(...(await writeUntilFull(acknowledged.length * 10)));
			expect((await names(app)).toSorted()).toEqual(expect.arrayContaining(acknowledged.toSorted()));
		}
		expect(acknowledged.length).toBeGreaterThan(5);
		rmSync(filler());
		await createCaller(app, testUser).domains.create({ name: 'after.example' });
		app.close();
		app = await open();
		const found = await names(app);
		expect(found).toEqual(expect.arrayContaining([...acknowledged, 'after.example']));
		expect((await app.database.client.execute('PRAGMA integrity_check')).rows[0]?.[0]).toBe('ok');
		// What was refused is not there either, but for what the disk took before its answer could be written down.
		expect(found.length - acknowledged.length).toBeLessThanOrEqual(1 + 4);
	}
);

it.skipIf(!canMount)('a backup that does not fit leaves the older one and the panel as they were', async () => {
	const caller = createCaller(app, testUser);
	for (let number = 0; number < 50; number += 1) await caller.domains.create({ name: `d${number}.example` });
	const first = await createBackup(app, { sealWith: { passphrase } });
	const size = first.bytes;
	const backups = join(disk, 'panel/backups');
	for (const share of [0, 0.3, 0.9, 1.2, 1.9]) {
		fillUp(Math.floor(size * share));
		await expect(createBackup(app, { sealWith: { passphrase } }), `${share} of it free`).rejects.toMatchObject({
			detail: { reason: 'disk-full' }
		});
		expect(readdirSync(backups), `${share} of it free`).toHaveLength(1);
	}
	rmSync(filler());
	expect((await rehearse(first.id, { passphrase })).findings).toContain('The database opens and is whole.');
	await caller.domains.create({ name: 'after.example' });
	await createBackup(app, { sealWith: { passphrase } });
	expect(readdirSync(backups)).toHaveLength(2);
	expect(await names(app)).toHaveLength(51);
});
