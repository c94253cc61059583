import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { afterEach, describe, expect, it } from 'vitest';
import { openTestApp, temporaryDirectory } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { domainName, estateBcrypt, estateId, estateInput, fillDatabase } from '../../../../tests/support/estate.ts';
import { closeCompiler, comparePolicies, compilePolicy, pendingPolicy } from './compile.ts';
import type { Compiled, CompileRequest } from './compile.ts';
import { readKeys } from './directory.ts';

const roots = {
	policy: '/srv/kumo/etc/policy',
	dkim: '/srv/kumo/etc/dkim',
	tls: '/srv/kumo/etc/tls',
	mail: '/var/mail/kumomta',
	share: '/srv/kumo/share'
};
const request: CompileRequest = { program: Buffer.from('-- the program\n'), customLua: null, roots, live: null };

let app: TestApp;
const held: Compiled[] = [];

afterEach(async () => {
	for (const each of held.splice(0)) each.release();
	await closeCompiler(app);
});

async function filledApp(size = { domains: 3, senders: 9 }) {
	app = await openTestApp();
	const input = estateInput(size);
	await fillDatabase(app.database.client, input);
	return input;
}

async function compile(changes: Partial<CompileRequest> = {}): Promise<Compiled> {
	const result = await compilePolicy(app, { ...request, ...changes });
	held.push(result);
	return result;
}

let number = 0;
/** Writes a compiled revision as the next number; answers its directory. */
async function stage(result: Compiled, linkDirectoryFrom: string | null = null): Promise<string> {
	const revision = `${++number}-${result.hash.slice(0, 12)}`;
	const directory = join(temporaryDirectory(), revision);
	mkdirSync(directory);
	await result.writeTo(directory, { revision, linkDirectoryFrom });
	return directory;
}

const update = (sql: string, ...args: (string | number | null)[]) => app.database.client.execute({ sql, args });

describe('a compiled policy', () => {
	it('is the database as a revision, without problems for a sound estate', async () => {
		await filledApp();
		const result = await compile();
		expect(result.problemCounts).toEqual({ errors: 0, warnings: 1, blocking: 0 });
		expect(result.problems.map(({ code }) => code)).toEqual(['tls-self-signed']);
		expect(result.needsRestart).toBe(true);
		expect(result.newKeys.map(({ domain }) => domain)).toEqual([0, 1, 2].map(domainName));
		const directory = await stage(result);
		const node = parse(readFileSync(join(directory, 'node.toml'), 'utf8'));
		expect(node).toMatchObject({ format: 1, hostname: 'mta.example.net', live_init: '/srv/kumo/etc/policy/init.lua' });
		expect(node.revision).toBe(directory.split('/').at(-1));
		expect([...readKeys(join(directory, 'directory.sqlite'))]).toHaveLength(3);
		for (const { path, bytes, sha256 } of result.manifest.files) expect([path, bytes, sha256]).not.toContain(undefined);
		expect(statSync(join(directory, 'directory.sqlite')).mode & 0o777).toBe(0o640);
	});

	it('has one hash however often it is made, and from the revision alone the same', async () => {
		await filledApp();
		await update("UPDATE settings SET http_api = 'trusted', relay_hosts = '[\"10.0.0.0/8\"]'");
		await update("UPDATE senders SET from_policy = 'domain' WHERE id = ?", estateId('sender', 1));
		const [first, second] = [await compile(), await compile()];
		expect(second.hash).toBe(first.hash);
		const directory = await stage(first);
		const restored = await compile({ from: directory, live: directory });
		expect(restored.hash).toBe(first.hash);
		expect(restored.changes.total).toBe(0);
		expect(restored.needsRestart).toBe(false);
	});

	it('tells each change in words, in pages, and never a verifier', async () => {
		await filledApp();
		const live = await stage(await compile());
		const verifier = 'ab'.repeat(32);
		await update(
			'UPDATE senders SET pool_id = ?, limit_count = 2000, limit_unit = ? WHERE id = ?',
			estateId('pool', 1),
			'perHour',
			estateId('sender', 1)
		);
		await update('UPDATE senders SET password_verifier = ? WHERE id = ?', verifier, estateId('sender', 2));
		await update('DELETE FROM senders WHERE id = ?', estateId('sender', 3));
		const bcrypt = estateBcrypt(77);
		const account = estateId('mailbox', 0);
		await update('UPDATE bounce_accounts SET password_hash = ?, quota_bytes = 2097152 WHERE id = ?', bcrypt, account);
		await update("UPDATE settings SET hostname = 'mx.example.net'");
		const result = await compile({ live, customLua: Buffer.from('return {}') });
		const texts: string[] = [];
		let cursor: string | undefined;
		do {
			const page = await result.changesPage({ cursor, limit: 2 });
			expect(page.total).toBe(6);
			texts.push(...page.items.map(({ text }) => text));
			cursor = page.nextCursor ?? undefined;
		} while (cursor !== undefined);
		expect(texts).toEqual([
			'The host name becomes mx.example.net (was mta.example.net)',
			'Your custom.lua is used',
			`Sender s000001@${domainName(0)}: pool main → warm; limit unlimited → 2,000/h`,
			`Sender s000002@${domainName(0)}: password changed`,
			`Bounce account replies@bounce.${domainName(0)}: quota 1 MiB → 2 MiB; password changed`,
			`Sender s000003@${domainName(1)} is removed`
		]);
		const shown = JSON.stringify([await result.changesPage(), await result.previewFiles(), result.manifest]);
		for (const secret of [verifier, bcrypt]) expect(shown).not.toContain(secret);
		const next = await stage(result);
		expect((await comparePolicies(app, live, next)).items.map(({ text }) => text)).toEqual(texts);
		await expect(result.changesPage({ cursor: 'bm9uc2Vuc2U' })).rejects.toMatchObject({
			detail: { reason: 'cursor-mismatch' }
		});
	});

	it('lets a domain without a key stay out, and blocks only when it is live', async () => {
		await filledApp();
		const live = await stage(await compile());
		await update('DELETE FROM dkim_keys WHERE id = ?', estateId('key', 1));
		const fresh = await compile();
		expect(fresh.problems[0]).toMatchObject({
			code: 'no-active-key',
			scope: 'domain',
			blocks: false,
			subject: domainName(1)
		});
		const blocked = await compile({ live });
		expect(blocked.problems[0]).toMatchObject({ code: 'no-active-key', blocks: true });
		const named = await compile({ live, dropping: [estateId('domain', 1)] });
		expect(named.problemCounts.blocking).toBe(0);
		expect(named.hash).toBe(blocked.hash);
	});

	it('links the directory of the last revision when its data is the same', async () => {
		await filledApp();
		const live = await stage(await compile());
		await update("UPDATE settings SET hostname = 'mx.example.net'");
		const result = await compile({ live });
		const directory = await stage(result, join(live, 'directory.sqlite'));
		expect(statSync(join(directory, 'directory.sqlite')).ino).toBe(statSync(join(live, 'directory.sqlite')).ino);
	});

	it('makes a damaged row a problem of that row', async () => {
		await filledApp();
		await update("UPDATE senders SET tenant = 'a\nb' WHERE id = ?", estateId('sender', 4));
		const result = await compile();
		expect(result.problems[0]).toMatchObject({
			scope: 'sender',
			id: estateId('sender', 4),
			code: 'unreadable',
			blocks: false
		});
		expect(result.manifest.counts.senders).toBe(8);
		await update("UPDATE settings SET hostname = 'a\nb'");
		await expect(compile()).rejects.toMatchObject({ detail: { reason: 'problems' } });
	});
});

describe('the pending policy', () => {
	it('is remembered until something changes', async () => {
		await filledApp();
		const patience = { waitMs: 15_000 };
		const first = await pendingPolicy(app, request, patience);
		const second = await pendingPolicy(app, request, patience);
		if (first) held.push(first);
		if (second) held.push(second);
		expect(first).not.toBeNull();
		expect(second).toBe(first);
		await update("UPDATE settings SET hostname = 'mx.example.net'");
		const third = await pendingPolicy(app, request, patience);
		if (third) held.push(third);
		expect(third?.hash).not.toBe(first?.hash);
	});

	it('says at once that it is still being made', async () => {
		await filledApp();
		expect(await pendingPolicy(app, request, { waitMs: 0 })).toBeNull();
		const later = await pendingPolicy(app, request, { waitMs: 15_000 });
		if (later) held.push(later);
		expect(later?.hash).toMatch(/^[0-9a-f]{64}$/);
	});
});
