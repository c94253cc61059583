import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openTestApp, temporaryDirectory } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { fillEstate, testHost } from '../../../../tests/support/policy-app.ts';
import { undoUnfinishedRestore } from './start.ts';
import { openDatabase } from '../core/database.ts';
import { applierKey, newApplierKey, Secret } from '../core/secret.ts';
import { readContainer, writeContainer } from './container.ts';
import type { SealWith } from './container.ts';
import { createBackup } from './create.ts';
import { holdDatabase } from './lock.ts';
import { placesBelow, placesOf } from './places.ts';
import { rehearse, restore } from './restore.ts';

const passphrase = new Secret('a long enough passphrase');
const at = Date.UTC(2026, 0, 6);
const chunk = 64 * 1024;

async function panel(faultPoint?: (name: string) => void): Promise<TestApp> {
	const app = await openTestApp({ host: testHost(faultPoint) });
	await fillEstate({ client: app.database.client, keys: app.keys }, { domains: 3, senders: 10 });
	const dkim = join(app.env.kumomtaRoot, 'etc/dkim/d1.example');
	mkdirSync(dkim, { recursive: true });
	writeFileSync(join(dkim, 's1.key'), 'PRIVATE-CANARY', { mode: 0o600 });
	return app;
}

const target = (dataDir = join(temporaryDirectory(), 'panel')) => placesBelow(dataDir);

/** Another panel's files which no process has open: a native connection is let go only when its garbage is collected. */
async function closedPanel() {
	const other = await panel();
	const made = await createBackup(other, { sealWith: { passphrase } });
	const places = target();
	await restore({ file: made.id, openWith: { passphrase }, places, owners: {}, at });
	return places;
}

/** Every file below a directory with its bytes, but for locks. */
function picture(directory: string): Record<string, string> {
	if (!existsSync(directory)) return {};
	return Object.fromEntries(
		readdirSync(directory, { recursive: true, withFileTypes: true })
			.filter((entry) => entry.isFile() && !entry.name.includes('.restore.lock'))
			.map((entry) => [join(entry.parentPath, entry.name), readFileSync(join(entry.parentPath, entry.name), 'base64')])
	);
}

const sealed = async (sealWith: SealWith, text: Buffer) => {
	const path = join(temporaryDirectory(), 'container');
	const file = await open(path, 'wx');
	const writer = await writeContainer(file, sealWith);
	for (let from = 0; from < text.length; from += 50_000) await writer.write(text.subarray(from, from + 50_000));
	await writer.end();
	await file.close();
	return readFileSync(path);
};

async function opened(bytes: Buffer, openWith: Parameters<typeof readContainer>[1]): Promise<Buffer> {
	const path = join(temporaryDirectory(), 'container');
	writeFileSync(path, bytes);
	const file = await open(path);
	try {
		const parts: Buffer[] = [];
		for await (const part of readContainer(file, openWith)) parts.push(part);
		return Buffer.concat(parts);
	} finally {
		await file.close();
	}
}

describe('container', () => {
	const key = applierKey(newApplierKey());
	const der = newApplierKey();
	const recipient = () => {
		const own = applierKey(der);
		return { own };
	};

	it.each([0, 1, chunk - 1, chunk, chunk + 1, 3 * chunk])('gives back %i bytes', async (length) => {
		const text = Buffer.alloc(length, 7);
		expect((await opened(await sealed('nothing', text), {})).equals(text)).toBe(true);
	});

	it('opens with its passphrase only', async () => {
		const file = await sealed({ passphrase }, Buffer.from('canary-canary'));
		expect(file.includes('canary')).toBe(false);
		expect((await opened(file, { passphrase })).toString()).toBe('canary-canary');
		await expect(opened(file, { passphrase: new Secret('another passphrase') })).rejects.toThrow('does not open');
		await expect(opened(file, {})).rejects.toThrow('--passphrase-file');
		await expect(opened(file, { key })).rejects.toThrow('--passphrase-file');
	});

	it('does not open with a key that it was not made for', async () => {
		const { createPublicKey } = await import('node:crypto');
		const x = createPublicKey({ key: der, format: 'der', type: 'pkcs8' } as never).export({ format: 'jwk' }).x ?? '';
		const file = await sealed({ recipient: Buffer.from(x, 'base64url') }, Buffer.from('text'));
		expect((await opened(file, { key: recipient().own })).toString()).toBe('text');
		await expect(opened(file, { key })).rejects.toThrow('does not open');
	});

	it('does not open when any byte is changed, cut off, moved or added', async () => {
		const text = Buffer.concat([Buffer.alloc(chunk, 1), Buffer.alloc(chunk, 2), Buffer.alloc(100, 3)]);
		const file = await sealed('nothing', text);
		const start = file.length - text.length - 3 * 16;
		const whole = chunk + 16;
		const places = [...Array(start).keys(), start, start + chunk, start + whole - 1, start + whole, file.length - 1];
		for (const place of places) {
			const changed = Buffer.from(file);
			changed[place] = (changed[place] ?? 0) ^ 1;
			await expect(opened(changed, {}), `byte ${place}`).rejects.toThrow('Nothing was restored');
		}
		for (const length of [0, 5, start - 1, start, start + 1, start + whole, start + 2 * whole, file.length - 1])
			await expect(opened(file.subarray(0, length), {}), `cut at ${length}`).rejects.toThrow('Nothing was restored');
		const [one, two, rest] = [0, 1, 2].map((n) => file.subarray(start + n * whole, start + (n + 1) * whole));
		const head = file.subarray(0, start);
		for (const parts of [
			[two, one, rest],
			[one, rest],
			[one, one, rest],
			[one, two, rest, rest],
			[one, two, two, rest]
		])
			await expect(opened(Buffer.concat([head, ...(parts as Buffer[])]), {})).rejects.toThrow('Nothing was restored');
		await expect(opened(Buffer.concat([file, Buffer.from('x')]), {})).rejects.toThrow('Nothing was restored');
	});
});

describe('backup and restore', () => {
	it('brings database, keys, DKIM keys and modes to an empty place', async () => {
		const app = await panel();
		const made = await createBackup(app, { sealWith: { passphrase } });
		expect(statSync(made.id).mode & 0o777).toBe(0o600);
		expect(readFileSync(made.id).includes('PRIVATE-CANARY')).toBe(false);
		const { findings } = await rehearse(made.id, { passphrase });
		expect(findings).toContain('The key files open a sealed DKIM key.');
		const places = target();
		const restored = await restore({ file: made.id, openWith: { passphrase }, places, owners: {}, at });
		expect(restored.kept).toEqual([]);
		for (const path of [
			places.databaseFile,
			join(places.data, 'applier.key'),
			join(places.etc, 'dkim/d1.example/s1.key')
		])
			expect(statSync(path).mode & 0o777).toBe(0o600);
		expect(readFileSync(join(places.data, 'applier.key'), 'utf8')).toBe(
			readFileSync(join(app.env.dataDir, 'applier.key'), 'utf8')
		);
		const database = await openDatabase(`file:${places.databaseFile}`);
		expect((await database.client.execute('SELECT count(*) FROM domains')).rows[0]?.[0]).toBe(3);
		database.close();
		expect(readdirSync(places.data).filter((name) => /^\.restore-/.test(name))).toEqual([]);
		expect(readdirSync(join(app.env.dataDir, 'backups'))).toHaveLength(1);
	});

	it('leaves keys out when nothing locks it, and then wants them where it is restored', async () => {
		const app = await panel();
		const made = await createBackup(app, { sealWith: 'nothing' });
		expect(made.manifest.files.map(({ path }) => path)).toEqual(['database/panel.db']);
		expect(readFileSync(made.id).includes('PRIVATE-CANARY')).toBe(false);
		const places = target();
		const wish = { file: made.id, openWith: {}, places, owners: {}, at };
		await expect(restore(wish)).rejects.toMatchObject({ detail: { reason: 'keys-missing' } });
		expect(existsSync(places.databaseFile)).toBe(false);
	});

	it('keeps what it replaces, and refuses while the database is open', async () => {
		const [app, other] = [await panel(), await panel()];
		const made = await createBackup(app, { sealWith: { passphrase } });
		const places = placesOf(other.env);
		const wish = { file: made.id, openWith: { passphrase }, places, owners: {}, at };
		const old = readFileSync(join(places.data, 'secret.key'), 'utf8');
		await expect(restore(wish)).rejects.toMatchObject({ detail: { reason: 'panel-running' } });
		expect(readFileSync(join(places.data, 'secret.key'), 'utf8')).toBe(old);
		const closed = await closedPanel();
		const before = readFileSync(join(closed.data, 'secret.key'), 'utf8');
		const { kept } = await restore({ ...wish, places: closed });
		const keptKey = kept.find((path) => path.includes('secret.key'));
		expect(readFileSync(keptKey ?? '', 'utf8')).toBe(before);
		expect(readFileSync(join(closed.data, 'secret.key'), 'utf8')).not.toBe(before);
	});

	it('touches nothing with a wrong passphrase, a cut or a changed file, or a newer database', async () => {
		const app = await panel();
		const made = await createBackup(app, { sealWith: { passphrase } });
		await app.database.client.execute(
			"INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('x', 9000000000000)"
		);
		const newer = await createBackup(app, { sealWith: { passphrase }, out: join(temporaryDirectory(), 'newer') });
		const bytes = readFileSync(made.id);
		const bad = (name: string, content: Buffer) => {
			const path = join(temporaryDirectory(), name);
			writeFileSync(path, content);
			return path;
		};
		const changed = Buffer.from(bytes);
		changed[bytes.length - 40] = (changed[bytes.length - 40] ?? 0) ^ 255;
		const places = target();
		mkdirSync(places.data, { recursive: true });
		writeFileSync(join(places.data, 'secret.key'), 'old');
		const before = picture(places.data);
		for (const [file, key] of [
			[made.id, new Secret('not that passphrase')],
			[bad('cut', bytes.subarray(0, bytes.length - 1)), passphrase],
			[bad('changed', changed), passphrase],
			[bad('empty', Buffer.alloc(0)), passphrase],
			[newer.id, passphrase]
		] as const) {
			await expect(restore({ file, openWith: { passphrase: key }, places, owners: {}, at })).rejects.toMatchObject({
				name: 'UserError'
			});
			expect(picture(places.data)).toEqual(before);
		}
	});

	it('removes the oldest of its own files beyond the wanted number, and nothing else', async () => {
		const app = await panel();
		const out = temporaryDirectory();
		writeFileSync(join(out, 'kumomta-ui-notes.backup'), 'mine');
		for (const day of ['20250101', '20250102', '20250103'])
			writeFileSync(join(out, `kumomta-ui-${day}T000000000Z.backup`), '');
		const { removed, id } = await createBackup(app, { sealWith: 'nothing', out, keep: 2 });
		expect(removed.map((path) => path.slice(out.length + 1, -18))).toEqual([
			'kumomta-ui-20250101',
			'kumomta-ui-20250102'
		]);
		expect(readdirSync(out)).toHaveLength(3);
		await expect(createBackup(app, { sealWith: 'nothing', out: id })).rejects.toMatchObject({ code: 'CONFLICT' });
	});

	it('lets nobody open the database that it is about to exchange', async () => {
		const { databaseFile } = await closedPanel();
		const letGo = await holdDatabase(databaseFile);
		const { createClient } = await import('@libsql/client/sqlite3');
		const starting = createClient({ url: `file:${databaseFile}`, timeout: 50 });
		await expect(starting.execute('PRAGMA journal_mode = WAL')).rejects.toMatchObject({ code: 'SQLITE_BUSY' });
		starting.close();
		await letGo();
		(await openDatabase(`file:${databaseFile}`)).close();
	});

	it('says that a command holds the database', async () => {
		const app = await panel();
		await expect(holdDatabase(join(app.env.dataDir, 'panel.db'))).rejects.toThrow('Stop it');
		await app.database.client.execute('UPDATE domains SET name = name');
	});

	it('is taken back whole wherever it fails', async () => {
		const app = await panel();
		const made = await createBackup(app, { sealWith: { passphrase } });
		const places = await closedPanel();
		await holdDatabase(places.databaseFile).then((letGo) => letGo());
		const before = picture(places.data);
		for (const point of [
			'restore.unpacked',
			'restore.before-plan',
			'restore.keep 0',
			'restore.keep 4',
			'restore.place 3',
			'restore.place 5',
			'restore.before-commit'
		]) {
			const faultPoint = (name: string) => {
				if (name === point) throw new Error(point);
			};
			await expect(
				restore({ file: made.id, openWith: { passphrase }, places, owners: {}, at, faultPoint })
			).rejects.toThrow(point);
			expect(undoUnfinishedRestore(places.data)).toBe(false);
			const after = picture(places.data);
			delete after[join(places.data, '.restore-plan.json.new')];
			expect(after, point).toEqual(before);
		}
	});
});

describe('beside writers', () => {
	it('has every write that was acknowledged before it began', async () => {
		const app = await panel();
		await app.database.client.execute('CREATE TABLE written (n INTEGER PRIMARY KEY)');
		const child = spawn(
			process.execPath,
			[join(import.meta.dirname, '../../../../tests/support/writer-child.ts'), join(app.env.dataDir, 'panel.db')],
			{
				stdio: ['ignore', 'pipe', 'inherit']
			}
		);
		let acknowledged = 0;
		child.stdout.on('data', (text: Buffer) => (acknowledged = Number(text.toString().trim().split('\n').at(-1))));
		while (acknowledged < 500) await new Promise((resolve) => setTimeout(resolve, 10));
		const [from, started] = [acknowledged, performance.now()];
		const made = await createBackup(app, { sealWith: { passphrase } });
		const rate = ((acknowledged - from) / (performance.now() - started)) * 1000;
		child.kill('SIGTERM');
		await new Promise((resolve) => child.once('close', resolve));
		const places = target();
		await restore({ file: made.id, openWith: { passphrase }, places, owners: {}, at });
		const database = await openDatabase(`file:${places.databaseFile}`);
		const { rows } = await database.client.execute('SELECT count(*), max(n), min(n) FROM written');
		database.close();
		const { rows: live } = await app.database.client.execute('SELECT count(*), max(n) FROM written');
		expect(Number(rows[0]?.[0])).toBeGreaterThanOrEqual(from);
		expect([rows[0]?.[2], rows[0]?.[1]]).toEqual([1, rows[0]?.[0]]);
		expect(Number(live[0]?.[0])).toBeGreaterThanOrEqual(acknowledged);
		expect(rate).toBeGreaterThan(0);
		if (process.env['SHOW_RATE']) process.stderr.write(`writes per second during the backup: ${Math.round(rate)}\n`);
	});
});
