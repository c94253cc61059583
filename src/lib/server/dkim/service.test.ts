import { createPublicKey, createPrivateKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { eq } from 'drizzle-orm';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { caller, openTestApp, testClock } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { refusalOf } from '../../../../tests/support/refusal.ts';
import { auditEntries } from '../audit/tables.ts';
import { policyDkimKey } from '../policy/input.ts';
import { makeRequestedKeys } from './make-requested-keys.ts';
import { dkimKeyPurpose, endRetirements, keyProgress, requestKeys } from './service.ts';
import { dkimKeys, keyRequests, usedSelectors } from './tables.ts';

const day = 24 * 60 * 60_000;
let app: TestApp;
let api: ReturnType<typeof caller>;
let clock: ReturnType<typeof testClock>;
let domainId: string;

beforeEach(async () => {
	clock = testClock();
	app = await openTestApp({ clock: clock.now });
	api = caller(app);
	domainId = (await api.domains.create({ name: 'bücher.example' })).id;
});

const generate = (selector?: string) => api.dkim.generate({ domainId, algorithm: 'ed25519', selector });
const importPem = (pem: string, selector = 'mine') => api.dkim.import({ domainId, selector, pem });
const storedKey = async () => (await app.db.select().from(dkimKeys))[0]!;

const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength }).privateKey;
const pems: Record<string, string> = {};

beforeAll(() => {
	const key = rsa(2048);
	const ed25519 = generateKeyPairSync('ed25519').privateKey;
	pems.pkcs8 = key.export({ type: 'pkcs8', format: 'pem' }).toString();
	pems.pkcs1 = key.export({ type: 'pkcs1', format: 'pem' }).toString();
	pems.ed25519 = ed25519.export({ type: 'pkcs8', format: 'pem' }).toString();
	pems.small = rsa(1024).export({ type: 'pkcs8', format: 'pem' }).toString();
	pems.odd = rsa(3072).export({ type: 'pkcs8', format: 'pem' }).toString();
	pems.ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
		.privateKey.export({ type: 'pkcs8', format: 'pem' })
		.toString();
	pems.encrypted8 = key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString();
	pems.encrypted1 = key.export({ type: 'pkcs1', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString();
	pems.public = createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();
	pems.cut = pems.pkcs8.slice(0, 600) + '\n-----END PRIVATE KEY-----\n';
});

describe('a selector', () => {
	it('is never used twice: not in parallel, not after removal, not after the domain came back', async () => {
		const outcomes = await Promise.allSettled([generate('s1'), generate('s1'), generate('S1')]);
		expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
		await api.dkim.remove({ id: (await storedKey()).id });
		expect(await refusalOf(generate('s1'))).toMatchObject({
			code: 'CONFLICT',
			reason: 'selector-used',
			fieldErrors: { selector: [expect.any(String)] }
		});
		await api.domains.remove({ id: domainId });
		domainId = (await api.domains.create({ name: 'bücher.example' })).id;
		expect(await refusalOf(generate('s1'))).toMatchObject({ reason: 'selector-used' });
		expect(await refusalOf(importPem(pems.pkcs8!, 's1'))).toMatchObject({ reason: 'selector-used' });
		expect(await app.db.$count(dkimKeys)).toBe(0);
		const other = await api.domains.create({ name: 'b.example' });
		expect(await api.dkim.generate({ domainId: other.id, algorithm: 'ed25519', selector: 's1' })).toMatchObject({
			selector: 's1'
		});
	});

	it('is the next free number when none is given', async () => {
		await generate('k7');
		await generate('k08');
		expect(
			await Promise.all([generate(), generate()]).then((keys) => keys.map(({ selector }) => selector).sort())
		).toEqual(['k8', 'k9']);
	});

	it.each(['', '-a', 'a-', 'a.b', 'a_b', '../k1', 'a\nb', 'a\0b', 'ä', 'x'.repeat(64), 'a b', '"'])(
		'is not %j',
		async (selector) => {
			expect(Object.keys((await refusalOf(generate(selector))).fieldErrors)).toEqual(['selector']);
			expect(await app.db.$count(usedSelectors)).toBe(0);
		}
	);
});

describe('a generated key', () => {
	it.each(['rsa-2048', 'rsa-4096', 'ed25519'] as const)(
		'%s: its record verifies what the sealed key signs, and it fits the policy',
		async (algorithm) => {
			const key = await api.dkim.generate({ domainId, algorithm });
			expect(key).toMatchObject({
				algorithm,
				selector: 'k1',
				state: 'pending',
				dnsStatus: 'unknown',
				activatedAt: null,
				version: 1
			});
			const row = await storedKey();
			const pem = app.keys.applier.open(row.sealedPrivateKey, dkimKeyPurpose('xn--bcher-kva.example', 'k1')).open();
			const p = /; p=(\S+)$/.exec(key.publicRecord.value)?.[1] ?? '';
			const publicKey =
				algorithm === 'ed25519'
					? createPublicKey({
							key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(p, 'base64').toString('base64url') },
							format: 'jwk'
						})
					: createPublicKey({ key: Buffer.from(p, 'base64'), format: 'der', type: 'spki' });
			const digest = algorithm === 'ed25519' ? null : 'sha256';
			const message = Buffer.from('hello');
			expect(verify(digest, message, publicKey, sign(digest, message, createPrivateKey(pem)))).toBe(true);
			expect(key.publicRecord).toMatchObject({ name: 'k1._domainkey.xn--bcher-kva.example', parts: expect.any(Array) });
			expect(key.publicRecord.parts.join('')).toBe(key.publicRecord.value);
			expect(Math.max(...key.publicRecord.parts.map((part) => part.length))).toBeLessThanOrEqual(255);
			const { id, selector, privateKeyHash } = row;
			expect(policyDkimKey.parse({ id, domainId, selector, algorithm, state: 'active', privateKeyHash })).toBeDefined();
		}
	);

	it('opens for its own domain and selector only', async () => {
		await generate();
		const { sealedPrivateKey } = await storedKey();
		expect(() => app.keys.applier.open(sealedPrivateKey, dkimKeyPurpose('xn--bcher-kva.example', 'k2'))).toThrow();
	});

	it('is refused for a domain that is gone', async () => {
		expect(await refusalOf(api.dkim.generate({ domainId: 'x'.repeat(16), algorithm: 'ed25519' }))).toMatchObject({
			code: 'NOT_FOUND',
			reason: 'no-such-domain'
		});
	});
});

describe('an imported key', () => {
	it.each([
		['pkcs8', 'rsa-2048'],
		['pkcs1', 'rsa-2048'],
		['ed25519', 'ed25519']
	])('%s becomes PKCS#8, with the hash of what is written to disk', async (name, algorithm) => {
		const key = await importPem(`\r\n${pems[name]!.replaceAll('\n', '\r\n')}\r\n`);
		expect(key).toMatchObject({ algorithm, state: 'pending', selector: 'mine' });
		const row = await storedKey();
		const pem = app.keys.applier.open(row.sealedPrivateKey, dkimKeyPurpose('xn--bcher-kva.example', 'mine')).open();
		expect(pem).toBe(name === 'pkcs1' ? pems.pkcs8 : pems[name]);
		const { createHash } = await import('node:crypto');
		expect(row.privateKeyHash).toBe(createHash('sha256').update(pem).digest('hex'));
	});

	it.each([
		['small', 'weak-key'],
		['odd', 'unsupported-key'],
		['ec', 'unsupported-key'],
		['encrypted8', 'encrypted-key'],
		['encrypted1', 'encrypted-key'],
		['public', 'not-a-private-key'],
		['cut', 'not-a-private-key']
	])('%s is refused as %s and takes no selector', async (name, reason) => {
		const refusal = await refusalOf(importPem(pems[name]!));
		expect(refusal).toMatchObject({ code: 'BAD_REQUEST', reason, fieldErrors: { pem: [expect.any(String)] } });
		expect(refusal.message).not.toContain(pems[name]!.slice(60, 90));
		expect([await app.db.$count(dkimKeys), await app.db.$count(usedSelectors)]).toEqual([0, 0]);
	});

	it('is refused when its halves do not belong together', async () => {
		const der = Buffer.from(pems.pkcs8!.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
		der.writeUInt8(der.readUInt8(120) ^ 1, 120);
		const pem = `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`;
		expect(await refusalOf(importPem(pem))).toMatchObject({ code: 'BAD_REQUEST', reason: 'broken-key' });
	});

	it.each(['', 'no key', '\0', 'x'.repeat(16_385)])('refuses %#', async (pem) => {
		expect(Object.keys((await refusalOf(importPem(pem))).fieldErrors)).toEqual(['pem']);
	});

	it('comes back nowhere: not in an answer, an audit row, a log line or the database', async () => {
		const pem = pems.pkcs8!;
		const canary = pem.split('\n')[5]!;
		const { id } = await importPem(pem);
		const answers = [
			await api.dkim.list({ domainId }),
			await api.dkim.activate({ id }),
			await api.dkim.retire({ id }),
			await api.domains.list(),
			await api.domains.dns({ id: domainId }),
			await api.audit.list({}),
			await refusalOf(importPem(pem)),
			await refusalOf(importPem(pem.replace('-----END', 'x-----END'), 'other'))
		];
		expect(JSON.stringify(answers)).not.toContain(canary);
		expect(JSON.stringify(answers)).not.toMatch(/sealed|v2:/);
		expect(app.logLines.join('\n')).not.toContain(canary);
		const tables = await app.database.client.execute(
			"select name from sqlite_master where type = 'table' and name not like '%search%'"
		);
		for (const { name } of tables.rows) {
			const { rows } = await app.database.client.execute(`select * from "${name as string}"`);
			expect(JSON.stringify(rows)).not.toContain(canary);
		}
		const [entry] = await app.db.select().from(auditEntries).where(eq(auditEntries.action, 'dkim.import'));
		expect(entry).toMatchObject({ outcome: 'ok', target: id, input: { pem: '[secret]', selector: 'mine' } });
	});
});

describe('the life of a key', () => {
	it('goes from pending over active and retiring to retired, and only forward', async () => {
		const { id } = await generate();
		expect(await refusalOf(api.dkim.retire({ id }))).toMatchObject({
			code: 'PRECONDITION_FAILED',
			reason: 'wrong-state'
		});
		const active = await api.dkim.activate({ id, version: 1 });
		expect(active).toMatchObject({ state: 'active', activatedAt: clock.now(), dnsStatus: 'unknown', version: 2 });
		expect(await api.dkim.activate({ id })).toEqual(active);
		const retiring = await api.dkim.retire({ id });
		expect(retiring).toMatchObject({ state: 'retiring', retiredAt: clock.now(), removableAt: clock.now() + 7 * day });
		expect(await api.dkim.retire({ id })).toEqual(retiring);
		expect(await refusalOf(api.dkim.activate({ id }))).toMatchObject({ reason: 'wrong-state' });
		clock.advance(7 * day - 1);
		expect((await api.dkim.list({ domainId })).items[0]?.state).toBe('retiring');
		await endRetirements(app);
		expect((await storedKey()).state).toBe('retiring');
		clock.advance(1);
		expect((await api.dkim.list({ domainId })).items[0]?.state).toBe('retired');
		await endRetirements(app);
		expect((await storedKey()).state).toBe('retired');
		expect(await refusalOf(api.dkim.activate({ id }))).toMatchObject({ reason: 'wrong-state' });
		expect(await api.dkim.remove({ id })).toEqual({ id });
	});

	it('an active or retiring key goes only by force, and the refusal says what breaks', async () => {
		const { id } = await generate();
		await api.dkim.activate({ id });
		const refusal = await refusalOf(api.dkim.remove({ id }));
		expect(refusal).toMatchObject({ code: 'PRECONDITION_FAILED', reason: 'key-in-use' });
		expect(refusal.message).toContain('xn--bcher-kva.example');
		await api.dkim.retire({ id });
		expect((await refusalOf(api.dkim.remove({ id }))).message).toContain('2026-01-12');
		expect(await api.dkim.remove({ id, force: true })).toEqual({ id });
	});

	it('a change is refused when somebody else was first', async () => {
		const { id } = await generate();
		await api.dkim.activate({ id, version: 1 });
		for (const call of [
			api.dkim.retire({ id, version: 1 }),
			api.dkim.remove({ id, version: 1, force: true }),
			api.dkim.activate({ id, version: 1 })
		])
			expect(await refusalOf(call)).toMatchObject({ code: 'CONFLICT', reason: 'version-moved' });
		expect(await refusalOf(api.dkim.activate({ id: 'x'.repeat(16) }))).toMatchObject({
			code: 'NOT_FOUND',
			reason: 'no-such-key'
		});
	});

	it('lists the newest first, page by page, of one domain', async () => {
		for (let index = 0; index < 4; index += 1) {
			await generate();
			clock.advance(1);
		}
		const other = await api.domains.create({ name: 'b.example' });
		await api.dkim.generate({ domainId: other.id, algorithm: 'ed25519' });
		const first = await api.dkim.list({ domainId, limit: 2 });
		const second = await api.dkim.list({ domainId, limit: 2, cursor: first.nextCursor ?? '' });
		expect([...first.items, ...second.items].map(({ selector }) => selector)).toEqual(['k4', 'k3', 'k2', 'k1']);
		expect([first.total, second.nextCursor]).toEqual([4, null]);
		expect(
			await refusalOf(api.dkim.list({ domainId: other.id, limit: 2, cursor: first.nextCursor ?? '' }))
		).toMatchObject({ reason: 'cursor-mismatch' });
	});
});

describe('requested keys', () => {
	it('are made and activated one by one, so that imported domains become ready', async () => {
		const other = await api.domains.create({ name: 'b.example' });
		await app.db.transaction((tx) => requestKeys(tx, [domainId, other.id, domainId], 'i'.repeat(16), clock.now()));
		expect(await keyProgress(app.db, 'i'.repeat(16))).toEqual({ waiting: 2 });
		await makeRequestedKeys(app);
		expect(await keyProgress(app.db, 'i'.repeat(16))).toEqual({ waiting: 0 });
		const { items } = await api.domains.list();
		expect(items.map(({ readiness, activeKeys }) => [readiness.ready, activeKeys])).toEqual([
			[true, 1],
			[true, 1]
		]);
		expect((await api.dkim.list({ domainId })).items).toMatchObject([
			{ algorithm: 'rsa-2048', state: 'active', activatedAt: clock.now() }
		]);
		const rows = await app.db.select().from(auditEntries).where(eq(auditEntries.actor, 'job:dkim.make-requested-keys'));
		expect(rows.map(({ action, outcome }) => [action, outcome])).toEqual(Array(2).fill(['dkim.generate', 'ok']));
	});

	it('make none for a domain that has an active key, or that goes while its key is made', async () => {
		await api.dkim.activate({ id: (await generate()).id });
		const other = await api.domains.create({ name: 'b.example' });
		await app.db.transaction((tx) => requestKeys(tx, [domainId, other.id], null, clock.now()));
		await Promise.all([makeRequestedKeys(app), api.domains.remove({ id: other.id })]);
		expect(await app.db.$count(dkimKeys)).toBe(1);
		expect(await app.db.$count(keyRequests)).toBe(0);
	});

	it('are stored in bulk', async () => {
		await app.database.client.execute(`with recursive n(i) as (select 1 union all select i + 1 from n where i < 12000)
			insert into domains (id, name, bounce_host, accept_any_return_path, dmarc, created_at, version)
			select printf('d%015d', i), printf('d%05d.example', i), printf('bounce.d%05d.example', i), 1, '{"policy":"none"}', i, 1 from n`);
		const ids = Array.from({ length: 12_000 }, (_, index) => `d${String(index + 1).padStart(15, '0')}`);
		await app.db.transaction((tx) => requestKeys(tx, ids, 'i'.repeat(16), clock.now()));
		expect(await keyProgress(app.db, 'i'.repeat(16))).toEqual({ waiting: 12_000 });
	});
});
