import { beforeEach, describe, expect, it } from 'vitest';
import { caller, openTestApp, testClock } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { refusalOf } from '../../../../tests/support/refusal.ts';
import { insertDomain, insertSenders } from '../../../../tests/support/rows.ts';
import { removedSenders } from '../senders/tables.ts';
import { removeEndedPoolNames, spooledForMs } from './service.ts';
import { poolSources, pools, removedPools } from './tables.ts';

let app: TestApp;
let api: ReturnType<typeof caller>;
let clock: ReturnType<typeof testClock>;
let a: string;
let b: string;

beforeEach(async () => {
	clock = testClock();
	app = await openTestApp({ clock: clock.now });
	api = caller(app);
	const answer = await api.sources.create({ cidr: '192.0.2.0/31', ehloPattern: 'out{n}.example.net' });
	[a = '', b = ''] = 'items' in answer ? answer.items.map(({ id }) => id) : [];
});

const create = (name = 'main') => api.pools.create({ name, sources: [{ sourceId: a, weight: 1 }] });

describe('what never becomes a pool', () => {
	it.each([
		['KumoMTA’s own name', 'unspecified'],
		['the same in capitals', 'Unspecified'],
		['empty', ''],
		['a dot first', '.hidden'],
		['a path', '../up'],
		['a blank', 'two words'],
		['a line break', 'a\nb'],
		['NUL', 'a\0b'],
		['a quote', 'a"b'],
		['bidi', 'a\u202eb'],
		['a letter outside ASCII', 'größe'],
		['65 characters', 'x'.repeat(65)]
	])('%s', async (_, name) => {
		expect(Object.keys((await refusalOf(create(name))).fieldErrors)).toEqual(['name']);
		expect(await app.db.$count(pools)).toBe(0);
	});

	it.each([
		['no source', () => [], 'sources'],
		['only weights of 0', () => [{ sourceId: a, weight: 0 }], 'sources'],
		[
			'a source twice',
			() => [
				{ sourceId: a, weight: 1 },
				{ sourceId: a, weight: 2 }
			],
			'sources.1.sourceId'
		],
		['a weight of 101', () => [{ sourceId: a, weight: 101 }], 'sources.0.weight'],
		['a weight of -1', () => [{ sourceId: a, weight: -1 }], 'sources.0.weight'],
		['a weight of 1.5', () => [{ sourceId: a, weight: 1.5 }], 'sources.0.weight'],
		[
			'a source that is not there',
			() => [
				{ sourceId: a, weight: 1 },
				{ sourceId: 'x'.repeat(16), weight: 1 }
			],
			'sources.1.sourceId'
		]
	])('%s', async (_, sources, field) => {
		expect(
			Object.keys((await refusalOf(api.pools.create({ name: 'main', sources: sources() }))).fieldErrors)
		).toContain(field);
		expect([await app.db.$count(pools), await app.db.$count(poolSources)]).toEqual([0, 0]);
	});

	it('the second of two with one name, also in parallel', async () => {
		const both = await Promise.allSettled([create(), create()]);
		expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
		expect(await refusalOf(create())).toMatchObject({
			code: 'CONFLICT',
			reason: 'name-taken',
			fieldErrors: { name: [expect.any(String)] }
		});
	});
});

describe('an update', () => {
	it('replaces the sources as a whole and counts the version', async () => {
		const { id } = await create();
		const changed = await api.pools.update({ id, version: 1, sources: [{ sourceId: b, weight: 100 }] });
		expect(changed).toMatchObject({ name: 'main', version: 2, sources: [{ sourceId: b, weight: 100 }] });
		expect(changed.sources).toHaveLength(1);
	});

	it('leaves everything as it was when refused', async () => {
		const { id } = await create();
		expect(
			await refusalOf(api.pools.update({ id, name: 'new', sources: [{ sourceId: 'x'.repeat(16), weight: 1 }] }))
		).toMatchObject({ reason: 'no-such-source' });
		expect((await api.pools.list()).items).toMatchObject([{ name: 'main', version: 1, sources: [{ sourceId: a }] }]);
		expect(await refusalOf(api.pools.update({ id, version: 7, name: 'new' }))).toMatchObject({
			reason: 'version-moved'
		});
	});

	it('that renames keeps the old name for spooled mail and moves removed senders along', async () => {
		const { id } = await create();
		await app.db
			.insert(removedSenders)
			.values({ tenant: 't.example.com', poolName: 'main', removedAt: 1, keptUntilAt: 2 });
		await api.pools.update({ id, name: 'bulk' });
		expect(await app.db.select().from(removedPools)).toEqual([
			{ name: 'main', removedAt: clock.now(), keptUntilAt: clock.now() + spooledForMs }
		]);
		expect((await app.db.select().from(removedSenders))[0]?.poolName).toBe('bulk');
		await api.pools.update({ id, name: 'main' });
		expect((await app.db.select().from(removedPools)).map(({ name }) => name)).toEqual(['bulk']);
	});
});

describe('removing', () => {
	it('is refused while senders use the pool, and counts them', async () => {
		const { id } = await create();
		await insertSenders(app, { domainId: await insertDomain(app), poolId: id, count: 3 });
		const refusal = await refusalOf(api.pools.remove({ id }));
		expect(refusal).toMatchObject({ code: 'PRECONDITION_FAILED', reason: 'pool-in-use' });
		expect(refusal.message).toContain('3 senders');
		expect((await api.pools.list()).items[0]?.senders).toBe(3);
	});

	it('is refused while it is the default pool', async () => {
		const { id } = await create();
		await api.settings.update({ defaultPoolId: id });
		expect((await refusalOf(api.pools.remove({ id }))).message).toContain('default pool');
		expect((await api.pools.list()).items[0]?.isDefault).toBe(true);
	});

	it('leaves a tombstone for 30 days, which a new pool of that name ends', async () => {
		const { id } = await create();
		expect(await api.pools.remove({ id })).toEqual({ id });
		expect(await app.db.select().from(removedPools)).toEqual([
			{ name: 'main', removedAt: clock.now(), keptUntilAt: clock.now() + spooledForMs }
		]);
		await create();
		expect(await app.db.$count(removedPools)).toBe(0);
	});

	it('lets the name go when its time is over, not before', async () => {
		await api.pools.remove({ id: (await create()).id });
		clock.advance(spooledForMs - 1);
		await removeEndedPoolNames(app);
		expect(await app.db.$count(removedPools)).toBe(1);
		clock.advance(1);
		await removeEndedPoolNames(app);
		expect(await app.db.$count(removedPools)).toBe(0);
	});
});

it('pages exactly at the boundary', async () => {
	for (const name of ['c', 'a', 'B', 'd']) await create(name);
	const first = await api.pools.list({ limit: 2 });
	const second = await api.pools.list({ limit: 2, cursor: first.nextCursor ?? '' });
	expect([...first.items, ...second.items].map(({ name }) => name)).toEqual(['B', 'a', 'c', 'd']);
	expect([first.total, second.nextCursor]).toEqual([4, null]);
});
