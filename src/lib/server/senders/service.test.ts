import { pbkdf2Sync } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { beforeEach, describe, expect, it } from 'vitest';
import { caller, openTestApp, testClock } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { refusalOf } from '../../../../tests/support/refusal.ts';
import { insertDomain, insertPool } from '../../../../tests/support/rows.ts';
import { auditEntries } from '../audit/tables.ts';
import { removeOldTombstones, removeSendersOfDomain } from './service.ts';
import { removedSenders, senders } from './tables.ts';

const day = 86_400_000;
const strong = 'chosen pass phrase 4711';

let app: TestApp;
let clock: ReturnType<typeof testClock>;
let api: ReturnType<typeof caller>['senders'];
let domainId: string;
let poolId: string;

beforeEach(async () => {
	clock = testClock();
	app = await openTestApp({ clock: clock.now });
	api = caller(app).senders;
	domainId = await insertDomain(app);
	poolId = await insertPool(app);
});

const create = (fields: object = {}) => api.create({ domainId, localPart: 'news', poolId, ...fields });
const stored = async (id: string) =>
	(
		await app.db
			.select()
			.from(senders)
			.where(sql`id = ${id}`)
	)[0]!;

describe('what must never happen', () => {
	const unknown = 'aaaaaaaaaaaaaaaa';

	it.each([
		['domain', { domainId: unknown }, 'no-such-domain', 'domainId'],
		['pool', { poolId: unknown }, 'no-such-pool', 'poolId']
	])('takes no unknown %s for a known one', async (_, fields, reason, field) => {
		const refusal = await refusalOf(create(fields));
		expect(refusal).toMatchObject({ code: 'BAD_REQUEST', reason });
		expect(Object.keys(refusal.fieldErrors)).toEqual([field]);
		expect(await app.db.$count(senders)).toBe(0);
	});

	it.each([
		['get', () => api.get({ id: unknown })],
		['update', () => api.update({ id: unknown, status: 'paused' })],
		['remove', () => api.remove({ id: unknown })],
		['setPassword', () => api.setPassword({ id: unknown })]
	])('answers NOT_FOUND to %s of an unknown sender', async (_, call) => {
		expect(await refusalOf(call())).toMatchObject({ code: 'NOT_FOUND', reason: 'no-such-sender' });
	});

	it('lets no password, salt or verifier out: not in answers, audit rows, errors or the log', async () => {
		const first = await create({ password: strong });
		const second = await create({ localPart: 'shop' });
		const answers = [
			first,
			{ ...second, password: undefined },
			await api.update({ id: first.id, status: 'paused' }),
			await api.setPassword({ id: first.id, password: strong }),
			await api.list({}),
			await api.get({ id: first.id }),
			await refusalOf(create({ password: strong })),
			await refusalOf(create({ password: 'short canary' })),
			await api.remove({ id: second.id })
		];
		const rows = await app.db.select().from(senders);
		const secrets = [
			strong,
			'short canary',
			second.password!,
			...rows.flatMap((row) => [row.passwordSalt!, row.passwordVerifier!])
		];
		const seen = JSON.stringify([answers, await app.db.select().from(auditEntries), app.logLines]);
		expect(secrets.filter((secret) => secret === undefined || seen.includes(secret))).toEqual([]);
	});

	it('gives one address to one of two parallel creates', async () => {
		const results = await Promise.allSettled([create(), create(), create()]);
		expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
		expect(await refusalOf(create({ localPart: 'NEWS' }))).toMatchObject({
			code: 'CONFLICT',
			reason: 'address-taken',
			fieldErrors: { localPart: [expect.any(String)] }
		});
		expect(await app.db.$count(senders)).toBe(1);
	});

	it('gives no tenant to two senders, removed ones included', async () => {
		const other = await insertDomain(app, 'b.example.com');
		const first = await create({ localPart: 'a.b' });
		const second = await create({ domainId: other, localPart: 'a' });
		expect([first.tenant, second.tenant]).toEqual(['a.b.example.com', 'a.b.example.com-2']);
		await api.remove({ id: second.id });
		await api.remove({ id: first.id });
		const names = [await create({ localPart: 'a.b' }), await create({ domainId: other, localPart: 'a' })].map(
			({ tenant }) => tenant
		);
		expect(names).toEqual(['a.b.example.com-3', 'a.b.example.com-4']);
	});

	const hostile = [
		'a\nb',
		'a\0b',
		'a"b',
		'"a b"',
		'a b',
		'a\\b',
		'../etc',
		'a@b',
		'a\u202eb',
		'ä',
		'.a',
		'a.',
		'a..b',
		'',
		'x'.repeat(65)
	];
	it.each(hostile)('refuses the local part %j beside its field and stores nothing', async (localPart) => {
		expect(Object.keys((await refusalOf(create({ localPart }))).fieldErrors)).toEqual(['localPart']);
		expect(await app.db.$count(senders)).toBe(0);
	});

	it.each([
		"'; drop table senders --",
		'"',
		'""',
		'%',
		'_',
		'*',
		'news*',
		'NEAR(a b)',
		'a OR b',
		'^a',
		'\u202e\u202e\u202e'
	])('searches for %j as text', async (search) => {
		await create();
		expect((await api.list({ search })).items).toEqual([]);
		expect((await api.list({})).total).toBe(1);
	});

	it('refuses a search with NUL, which would end the search text early', async () => {
		expect(Object.keys((await refusalOf(api.list({ search: 'a\0bc' }))).fieldErrors)).toEqual(['search']);
	});

	it('refuses fields that never change and ones it does not know', async () => {
		const { id } = await create();
		for (const fields of [
			{ localPart: 'b' },
			{ domainId },
			{ tenant: 'x' },
			{ address: 'a@example.com' },
			{ passwordVerifier: '00' }
		])
			expect(await refusalOf(api.update({ id, ...fields }))).toMatchObject({ code: 'BAD_REQUEST' });
	});
});

describe('password', () => {
	it('is made by the panel when none is given: 192 bits, shown once, one iteration', async () => {
		const made = await create();
		expect(made.password).toMatch(/^[A-Za-z0-9_-]{32}$/);
		expect(made.credential).toEqual({ isSet: true, setAt: clock.now(), generated: true });
		const row = await stored(made.id);
		expect(row.passwordIterations).toBe(1);
		expect(row.passwordVerifier).toBe(
			pbkdf2Sync(made.password!, Buffer.from(row.passwordSalt!, 'hex'), 1, 32, 'sha256').toString('hex')
		);
		expect(await api.get({ id: made.id })).not.toHaveProperty('password');
	});

	it('is taken when chosen: 4,096 iterations, a salt of its own, never answered', async () => {
		const made = await create({ password: strong });
		const row = await stored(made.id);
		expect(made).not.toHaveProperty('password');
		expect(made.credential.generated).toBe(false);
		expect(row.passwordVerifier).toBe(
			pbkdf2Sync(strong, Buffer.from(row.passwordSalt!, 'hex'), 4096, 32, 'sha256').toString('hex')
		);
		await api.setPassword({ id: made.id, password: strong });
		expect((await stored(made.id)).passwordSalt).not.toBe(row.passwordSalt);
	});

	it('is replaced by setPassword without one, and cleared by null', async () => {
		const { id, password } = await create();
		const replaced = await api.setPassword({ id });
		expect(replaced.password).not.toBe(password);
		const cleared = await api.setPassword({ id, password: null });
		expect(cleared.credential).toEqual({ isSet: false, setAt: null, generated: false });
		expect(await stored(id)).toMatchObject({ passwordSalt: null, passwordVerifier: null, passwordIterations: null });
	});

	it.each(['', 'x'.repeat(15), 'x'.repeat(129), `${'x'.repeat(16)}\n`, `${'x'.repeat(16)}é`, `${'x'.repeat(16)}\0`])(
		'refuses %j',
		async (password) => {
			expect(Object.keys((await refusalOf(create({ password }))).fieldErrors)).toEqual(['password']);
		}
	);

	it.each(['x'.repeat(16), '~'.repeat(128), ' a b '.repeat(4)])('takes %j', async (password) => {
		expect((await create({ password })).credential.isSet).toBe(true);
	});
});

describe('limits and times', () => {
	it.each([
		[{ perHour: 1000 }, { perHour: 1000 }],
		[{}, null],
		[null, null]
	])('keeps %j', async (limits, expected) => {
		expect((await create({ limits })).limits).toEqual(expected);
	});

	it.each([
		[{ limits: { perSecond: 1, perDay: 1 } }, 'limits'],
		[{ limits: { perSecond: 0 } }, 'limits.perSecond'],
		[{ limits: { perDay: 1_000_000_001 } }, 'limits.perDay'],
		[{ limits: { perHour: 1.5 } }, 'limits.perHour'],
		[{ retryIntervalSeconds: 0 }, 'retryIntervalSeconds'],
		[{ retryIntervalSeconds: 604_801 }, 'retryIntervalSeconds'],
		[{ maxAgeSeconds: 59 }, 'maxAgeSeconds'],
		[{ maxAgeSeconds: 2_592_001 }, 'maxAgeSeconds']
	])('refuses %j', async (fields, field) => {
		expect(Object.keys((await refusalOf(create(fields))).fieldErrors)).toEqual([field]);
	});

	it('keeps what is absent, clears what is null', async () => {
		const { id } = await create({ limits: { perDay: 5 }, maxAgeSeconds: 60, retryIntervalSeconds: 1 });
		expect(await api.update({ id, status: 'paused' })).toMatchObject({
			limits: { perDay: 5 },
			maxAgeSeconds: 60,
			retryIntervalSeconds: 1,
			status: 'paused',
			version: 2
		});
		expect(await api.update({ id, limits: null, maxAgeSeconds: null })).toMatchObject({
			limits: null,
			maxAgeSeconds: null,
			retryIntervalSeconds: 1
		});
		expect(await api.update({ id, limits: { perMinute: 3 } })).toMatchObject({ limits: { perMinute: 3 } });
	});
});

describe('version', () => {
	it.each([
		['update', (id: string, version: number) => api.update({ id, version, status: 'paused' })],
		['setPassword', (id: string, version: number) => api.setPassword({ id, version })],
		['remove', (id: string, version: number) => api.remove({ id, version })]
	])('moved is a conflict for %s, and nothing changes', async (_, call) => {
		const { id } = await create();
		await api.update({ id, fromPolicy: 'domain' });
		const before = await stored(id);
		expect(await refusalOf(call(id, 1))).toMatchObject({ code: 'CONFLICT', reason: 'version-moved' });
		expect(await stored(id)).toEqual(before);
	});
});

describe('removal', () => {
	it.each([
		[null, 7],
		[86_400, 7],
		[10 * 86_400, 10],
		[30 * 86_400, 30]
	])('with a maximum age of %j seconds keeps the tenant %j days with its last pool', async (maxAgeSeconds, days) => {
		const { id, tenant } = await create({ maxAgeSeconds });
		const keptUntilAt = clock.now() + days * day;
		expect(await api.remove({ id })).toEqual({ id, keptUntilAt });
		expect(await app.db.select().from(removedSenders)).toEqual([
			{ tenant, poolName: 'main', removedAt: clock.now(), keptUntilAt }
		]);
	});

	it('of a domain keeps the tenants of all its senders', async () => {
		for (const localPart of ['a', 'b', 'c']) await create({ localPart });
		const other = await insertDomain(app, 'other.example');
		await create({ domainId: other });
		expect(await app.db.transaction((tx) => removeSendersOfDomain(tx, domainId, clock.now()))).toBe(3);
		expect((await app.db.select().from(removedSenders)).map(({ tenant }) => tenant)).toEqual([
			'a.example.com',
			'b.example.com',
			'c.example.com'
		]);
		expect((await api.list({})).items.map(({ address }) => address)).toEqual(['news@other.example']);
	});

	it('is forgotten by the job only when its time has passed', async () => {
		const { id } = await create();
		await api.remove({ id });
		clock.advance(7 * day);
		await removeOldTombstones(app);
		expect(await app.db.$count(removedSenders)).toBe(1);
		clock.advance(1);
		await removeOldTombstones(app);
		expect(await app.db.$count(removedSenders)).toBe(0);
	});
});
