import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { caller, openTestApp, testClock } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { testHost } from '../../../../tests/support/policy-app.ts';
import { insertDomain } from '../../../../tests/support/rows.ts';
import { readFiles, readRows, wordOf } from '../../../../tests/support/suppression-reader.ts';
import { unreadListsLabel } from '../core/suppression-format.ts';
import { domains } from '../domains/tables.ts';
import { getFilesState, requestRebuild } from './files-state.ts';
import { keepFiles } from './keep-files.ts';
import { suppressionChanges, suppressionFiles } from './tables.ts';
import { suppressionRoots } from './write-file.ts';
import type { SuppressionRoots } from './write-file.ts';

let clock: ReturnType<typeof testClock>;
let app: TestApp;
let roots: SuppressionRoots;
/** Fails at the named moment, once. */
let failAt: string | undefined;

beforeEach(async () => {
	clock = testClock();
	failAt = undefined;
	const host = testHost((name) => {
		if (name !== failAt) return;
		failAt = undefined;
		throw new Error(`broken off at ${name}`);
	});
	app = await openTestApp({ clock: clock.now, host });
	roots = suppressionRoots(app.env.kumomtaRoot);
	mkdirSync(roots.policy, { recursive: true });
});

const add = (address: string, domainId: string | null = null) => caller(app).suppression.add({ address, domainId });
const remove = (address: string) => caller(app).suppression.bulk({ remove: [address] });

async function minuteLater(): Promise<void> {
	clock.advance(61_000);
	await keepFiles(app);
}

describe('the suppression files', () => {
	it('are not made before the first apply made the policy’s directory', async () => {
		rmSync(roots.policy, { recursive: true });
		await keepFiles(app);
		expect(() => readdirSync(roots.policy)).toThrow('ENOENT');
		expect(await getFilesState(app)).toMatchObject({ state: 'unused' });
	});

	it('say what the list says, by the name of the domain, and are closed to others', async () => {
		const domainId = await insertDomain(app);
		const [domain] = await app.db.select().from(domains);
		await add('Ann@EXAMPLE.org', domainId);
		await add('bob@bücher.example');
		await keepFiles(app);
		expect(readFiles(roots)).toEqual({
			[`ann@example.org ${domain!.name}`]: 'manual',
			'bob@xn--bcher-kva.example ': 'manual'
		});
		for (const path of [roots.base, roots.delta]) expect(statSync(path).mode & 0o777).toBe(0o640);
		expect(statSync(roots.directory).mode & 0o777).toBe(0o750);
		expect(readdirSync(roots.directory).sort()).toEqual(['base.sqlite', 'delta.sqlite']);
		expect(await getFilesState(app)).toMatchObject({ state: 'current', waiting: 0, failure: null });
	});

	it('put changes into the delta, at most once a minute, and leave the base as it is', async () => {
		await add('ann@example.org');
		await keepFiles(app);
		const base = readFileSync(roots.base);
		await remove('ann@example.org');
		await add('bob@example.org');
		clock.advance(30_000);
		await keepFiles(app);
		expect(readFiles(roots)).toEqual({ 'ann@example.org ': 'manual' });
		expect(await getFilesState(app)).toMatchObject({ state: 'waiting', waiting: 2 });
		clock.advance(31_000);
		await keepFiles(app);
		expect(readFiles(roots)).toEqual({ 'bob@example.org ': 'manual' });
		expect(readRows(roots.delta)).toEqual(
			new Map([
				['ann@example.org ', ''],
				['bob@example.org ', 'manual']
			])
		);
		expect(readFileSync(roots.base).equals(base)).toBe(true);
	});

	it('are not written again while nothing changed', async () => {
		await add('ann@example.org');
		await keepFiles(app);
		const seen = [roots.base, roots.delta].map((path) => statSync(path).ino);
		for (let turn = 0; turn < 3; turn += 1) await minuteLater();
		expect([roots.base, roots.delta].map((path) => statSync(path).ino)).toEqual(seen);
	});

	it('get a new base each night, when a delta grew large, and when somebody asks', async () => {
		await add('ann@example.org');
		await keepFiles(app);
		const builtAt = async () => (await getFilesState(app)).base.at;
		const first = await builtAt();
		clock.advance(16 * 3_600_000);
		await keepFiles(app);
		const nightly = await builtAt();
		expect(nightly).toBeGreaterThan(first!);
		const values = Array.from({ length: 50_001 }, (_, index) => ({ address: `u${index}@example.org`, scope: '' }));
		for (let from = 0; from < values.length; from += 5000)
			await app.db.insert(suppressionChanges).values(values.slice(from, from + 5000));
		await minuteLater();
		const grown = await builtAt();
		expect(grown).toBeGreaterThan(nightly!);
		expect(await app.db.$count(suppressionChanges)).toBe(0);
		await requestRebuild(app);
		clock.advance(1000);
		await keepFiles(app);
		expect(await builtAt()).toBeGreaterThan(grown!);
	});

	it('a new base takes nothing away from a reader that opened the old one before', async () => {
		await add('ann@example.org');
		await keepFiles(app);
		const oldBase = readRows(roots.base);
		await remove('ann@example.org');
		await add('bob@example.org');
		await minuteLater();
		clock.advance(1000);
		await requestRebuild(app);
		await keepFiles(app);
		for (const base of [oldBase, readRows(roots.base)]) {
			const delta = readRows(roots.delta);
			expect(wordOf('ann@example.org ', base, delta)).toBe('');
			expect(wordOf('bob@example.org ', base, delta)).toBe('manual');
		}
		await minuteLater();
		expect(readRows(roots.delta)).toEqual(new Map());
		expect(readFiles(roots)).toEqual({ 'bob@example.org ': 'manual' });
	});

	it.each(['suppression.base-announced', 'file.rename base.sqlite', 'suppression.base-placed'])(
		'a new base beside the delta before it says what the list says, also when the turn breaks off at %s',
		async (moment) => {
			await add('ann@example.org');
			await add('cid@example.org');
			await keepFiles(app);
			await add('bob@example.org');
			await minuteLater();
			await remove('bob@example.org');
			await remove('cid@example.org');
			await add('dan@example.org');
			clock.advance(1000);
			await requestRebuild(app);
			failAt = moment;
			await expect(keepFiles(app)).rejects.toThrow('broken off');
			const list = { 'ann@example.org ': 'manual', 'dan@example.org ': 'manual' };
			expect(readFiles(roots)).toEqual(list);
			for (let turn = 0; turn < 3; turn += 1) {
				await minuteLater();
				expect(readFiles(roots)).toEqual(list);
			}
			expect(await getFilesState(app)).toMatchObject({ state: 'current', waiting: 0 });
		}
	);

	const damages: [string, () => void][] = [
		['a missing base', () => rmSync(roots.base)],
		['a missing delta', () => rmSync(roots.delta)],
		['a base that was cut off', () => truncateSync(roots.base, 4096)],
		['a base that is no database', () => writeFileSync(roots.base, 'x'.repeat(20_000))],
		['a delta of zero bytes', () => truncateSync(roots.delta, 0)],
		['a base of another panel', () => writeFileSync(roots.base, readFileSync(roots.delta))]
	];
	it.each(damages)('%s is told and made anew in the next turn', async (_, damage) => {
		await add('ann@example.org');
		await keepFiles(app);
		await add('bob@example.org');
		await minuteLater();
		damage();
		expect(await getFilesState(app)).toMatchObject({ state: 'failed' });
		clock.advance(1000);
		await keepFiles(app);
		expect(readFiles(roots)).toEqual({ 'ann@example.org ': 'manual', 'bob@example.org ': 'manual' });
		expect(await getFilesState(app)).toMatchObject({ state: 'current' });
	});

	it('that KumoMTA cannot read are an alarm until it reads them again', async () => {
		await add('ann@example.org');
		await keepFiles(app);
		const name = `user_lua_latency_count{${unreadListsLabel}}`;
		const look = (at: number, count: number) => ({ at, sums: new Map([[name, count]]), loads: 1 }) as never;
		const looks = [look(clock.now() - 20_000, 4), look(clock.now() - 10_000, 11)];
		Object.assign(app.metrics, { snapshots: () => looks });
		expect(await getFilesState(app)).toMatchObject({ state: 'failed', unread: 7 });
		clock.advance(240_000);
		looks.push(look(clock.now() - 200_000, 11), look(clock.now(), 11));
		expect(await getFilesState(app)).toMatchObject({ state: 'current', unread: 0 });
	});

	it('are made anew after the database went back in time', async () => {
		await add('ann@example.org');
		await keepFiles(app);
		const [row] = await app.db.select().from(suppressionFiles);
		await add('bob@example.org');
		await requestRebuild(app);
		await minuteLater();
		const { client } = app.database;
		await client.execute("DELETE FROM suppressions WHERE address = 'bob@example.org'");
		await client.execute('DELETE FROM suppression_changes');
		await app.db.update(suppressionFiles).set({ ...row!, due: 1, baseDue: 1 });
		clock.advance(1000);
		await keepFiles(app);
		expect(readFiles(roots)).toEqual({ 'ann@example.org ': 'manual' });
	});

	it('lose the list of a removed domain, also when its name comes back', async () => {
		const domainId = await insertDomain(app);
		const [{ name } = { name: '' }] = await app.db.select().from(domains);
		await add('ann@example.org', domainId);
		await add('bob@example.org');
		await keepFiles(app);
		await app.db.delete(domains);
		await insertDomain(app);
		clock.advance(1000);
		await keepFiles(app);
		expect(name).not.toBe('');
		expect(readFiles(roots)).toEqual({ 'bob@example.org ': 'manual' });
	});

	it('a failure is told, mail is not touched, and the next turn mends it', async () => {
		await add('ann@example.org');
		failAt = 'file.rename base.sqlite';
		await expect(keepFiles(app)).rejects.toThrow('broken off');
		expect(readdirSync(roots.directory).filter((name) => !name.startsWith('.'))).toEqual([]);
		expect(await getFilesState(app)).toMatchObject({ state: 'failed', failure: { message: expect.any(String) } });
		await keepFiles(app);
		expect(await getFilesState(app)).toMatchObject({ state: 'current', failure: null });
	});

	it('one process writes at a time, and a dead one is waited for a minute', async () => {
		await app.db.update(suppressionFiles).set({ writer: 'another', writerUntil: clock.now() + 60_000 });
		await keepFiles(app);
		expect((await getFilesState(app)).base.state).toBe('absent');
		clock.advance(60_001);
		await keepFiles(app);
		expect((await getFilesState(app)).base.state).toBe('ok');
	});
});
