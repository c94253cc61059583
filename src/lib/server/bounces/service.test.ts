import { beforeEach, describe, expect, it } from 'vitest';
import { caller, openTestApp } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { refusalOf } from '../../../../tests/support/refusal.ts';
import { insertDomain } from '../../../../tests/support/rows.ts';
import { auditEntries } from '../audit/tables.ts';
import { verifyBcrypt } from '../core/bcrypt.ts';
import { Secret } from '../core/secret.ts';
import { bounceAccounts } from './tables.ts';

const strong = 'chosen pass phrase';
const unknown = 'aaaaaaaaaaaaaaaa';

let app: TestApp;
let api: ReturnType<typeof caller>['bounces'];
let domainId: string;

beforeEach(async () => {
	app = await openTestApp();
	api = caller(app).bounces;
	domainId = await insertDomain(app);
});

const create = (fields: object = {}) => api.create({ domainId, localPart: 'returns', password: null, ...fields });
const hashes = async () => (await app.db.select().from(bounceAccounts)).map(({ passwordHash }) => passwordHash!);

describe('what must never happen', () => {
	it('takes no unknown domain for a known one', async () => {
		expect(await refusalOf(create({ domainId: unknown }))).toMatchObject({
			reason: 'no-such-domain',
			fieldErrors: { domainId: [expect.any(String)] }
		});
		expect(await app.db.$count(bounceAccounts)).toBe(0);
	});

	it.each([
		['update', () => api.update({ id: unknown, notes: '' })],
		['remove', () => api.remove({ id: unknown })],
		['setPassword', () => api.setPassword({ id: unknown, password: null })],
		['get', () => api.get({ id: unknown })],
		['mailbox', () => api.mailbox({ id: unknown })],
		['emptyMailbox', () => api.emptyMailbox({ id: unknown, confirm: 0 })],
		['checkLogin', () => api.checkLogin({ id: unknown })]
	])('answers NOT_FOUND to %s of an unknown account', async (_, call) => {
		expect(await refusalOf(call())).toMatchObject({ code: 'NOT_FOUND', reason: 'no-such-bounce-account' });
	});

	it('lets no password or hash out', async () => {
		const made = await create({ password: undefined });
		const chosen = await create({ localPart: 'b', password: strong });
		const answers = [
			{ ...made, password: undefined },
			chosen,
			await api.list(),
			await api.update({ id: made.id, notes: 'x' }),
			await refusalOf(create({ password: strong })),
			await api.setPassword({ id: chosen.id, password: strong })
		];
		const secrets = [strong, made.password!, ...(await hashes())];
		const seen = JSON.stringify([answers, await app.db.select().from(auditEntries), app.logLines]);
		expect(secrets.filter((secret) => seen.includes(secret))).toEqual([]);
	});

	it('gives one address to one of two parallel creates', async () => {
		const results = await Promise.allSettled([create(), create()]);
		expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
		expect(await refusalOf(create())).toMatchObject({ code: 'CONFLICT', reason: 'address-taken' });
	});

	it.each(['a+b', '../a', 'a\nb', 'a\0', '"a b"', 'ä', ''])('refuses the local part %j', async (localPart) => {
		expect(Object.keys((await refusalOf(create({ localPart }))).fieldErrors)).toEqual(['localPart']);
	});

	it.each([
		[{ notes: 'a\0b' }, 'notes'],
		[{ notes: 'a\u202eb' }, 'notes'],
		[{ notes: 'x'.repeat(2001) }, 'notes'],
		[{ quotaBytes: 0 }, 'quotaBytes'],
		[{ retentionDays: 0 }, 'retentionDays'],
		[{ password: 'short' }, 'password'],
		[{ password: 'x'.repeat(73) }, 'password'],
		[{ password: 'ä'.repeat(12) }, 'password'],
		[{ password: '' }, 'password']
	])('refuses %j', async (fields, field) => {
		expect(Object.keys((await refusalOf(create(fields))).fieldErrors)).toEqual([field]);
	});
});

it('stands at the bounce host, with quota and retention of its own', async () => {
	expect(await create({ localPart: 'Returns', notes: 'first\nsecond' })).toMatchObject({
		address: 'returns@bounce.example.com',
		domain: { id: domainId, name: 'example.com' },
		credential: { isSet: false, setAt: null, generated: false },
		quotaBytes: 1_073_741_824,
		retentionDays: 30,
		notes: 'first\nsecond',
		enabled: true,
		version: 1
	});
});

it('follows a changed bounce host', async () => {
	const { id } = await create();
	await caller(app).domains.update({ id: domainId, bounceHost: 'b2.example.net' });
	expect((await api.list()).items).toMatchObject([{ id, address: 'returns@b2.example.net' }]);
});

it('keeps bcrypt hashes that verify, at cost 10', async () => {
	const made = await create({ password: undefined });
	expect(made).toMatchObject({
		password: expect.stringMatching(/^[\w-]{32}$/),
		credential: { isSet: true, generated: true }
	});
	const [hash] = await hashes();
	expect(hash).toMatch(/^\$2[aby]\$10\$/);
	expect(await verifyBcrypt(hash!, new Secret(made.password!))).toBe(true);
	await api.setPassword({ id: made.id, password: strong });
	const [next] = await hashes();
	expect([
		await verifyBcrypt(next!, new Secret(strong)),
		await verifyBcrypt(next!, new Secret(made.password!))
	]).toEqual([true, false]);
	expect((await api.setPassword({ id: made.id, password: null })).credential.isSet).toBe(false);
});

it('keeps what is absent and refuses an old version', async () => {
	const { id } = await create({ notes: 'kept' });
	expect(await api.update({ id, version: 1, enabled: false })).toMatchObject({
		notes: 'kept',
		enabled: false,
		version: 2
	});
	for (const call of [
		api.update({ id, version: 1, notes: '' }),
		api.remove({ id, version: 1 }),
		api.setPassword({ id, version: 1, password: null })
	])
		expect(await refusalOf(call)).toMatchObject({ reason: 'version-moved' });
	expect(await api.remove({ id, version: 2 })).toMatchObject({ id });
	expect(await api.list()).toEqual({ items: [], nextCursor: null, total: 0 });
});

it.each(['asc', 'desc'] as const)('pages %s by either key give each row once', async (dir) => {
	const names = ['a', 'b', 'c', 'd', 'e'];
	for (const localPart of names) await create({ localPart });
	for (const by of ['address', 'createdAt'] as const) {
		const seen: string[] = [];
		let cursor: string | undefined;
		do {
			const page = await api.list({ domainId, sort: { by, dir }, limit: 2, cursor });
			seen.push(...page.items.map(({ localPart }) => localPart));
			cursor = page.nextCursor ?? undefined;
		} while (cursor);
		expect(by === 'address' && dir === 'desc' ? seen.toReversed() : seen.toSorted()).toEqual(names);
	}
});
