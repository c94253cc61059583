import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { afterEach, describe, expect, it } from 'vitest';
import { caller, openTestApp, testClock } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { domainName, estateId } from '../../../../tests/support/estate.ts';
import { absentKumod, estateKeyText, fillEstate, testHost } from '../../../../tests/support/policy-app.ts';
import { refusalOf } from '../../../../tests/support/refusal.ts';
import type { FaultPoint } from '../host/files.ts';
import type { ApplyAnswer } from './apply-run.ts';
import { closeCompiler } from './compile.ts';
import type { applyPolicy } from './inputs.ts';
import { sha256 } from './live.ts';
import { policyRoots } from './roots.ts';

type ApplyInput = z.input<typeof applyPolicy>;
const open: TestApp[] = [];
afterEach(async () => {
	for (const app of open.splice(0)) await closeCompiler(app);
});

async function policyApp({
	faultPoint,
	clock = testClock().now
}: { faultPoint?: FaultPoint; clock?: () => number } = {}) {
	const app = await openTestApp({ clock, host: testHost(faultPoint), kumod: absentKumod() });
	open.push(app);
	await fillEstate({ client: app.database.client, keys: app.keys }, { domains: 3, senders: 6 });
	const { policy, mutation } = caller(app);
	// tRPC 10's caller takes `policy.apply(…)` for Function.prototype.apply; its older spelling does not.
	const apply = (input: ApplyInput) => mutation('policy.apply' as never, input as never) as Promise<ApplyAnswer>;
	const { status, preview, changes, progress, revert, revisions, revision, restore } = policy;
	const api = { status, preview, changes, apply, progress, revert, revisions, revision, restore };
	return { app, api, roots: policyRoots(app.env.kumomtaRoot) };
}

type Api = Awaited<ReturnType<typeof policyApp>>['api'];
const pendingHash = async (api: Api) => (await api.preview()).hash;
const applyAll = async (api: Api) => api.apply({ expectedHash: await pendingHash(api) });
const pauseSender = (app: TestApp, number: number) =>
	app.database.client.execute({
		sql: "UPDATE senders SET status = 'paused' WHERE id = ?",
		args: [estateId('sender', number)]
	});
const mode = (path: string) => (statSync(path).mode & 0o7777).toString(8);

describe('what must never happen', () => {
	it('an apply of something other than what was reviewed', async () => {
		const { app, api, roots } = await policyApp();
		const expectedHash = await pendingHash(api);
		await pauseSender(app, 0);
		expect(await refusalOf(api.apply({ expectedHash }))).toMatchObject({ code: 'CONFLICT', reason: 'pending-moved' });
		expect(readdirSync(roots.revisions)).toEqual([]);
		expect(statSync(roots.init, { throwIfNoEntry: false })).toBeUndefined();
	});

	it('a foreign init.lua overwritten without being asked, or without being kept', async () => {
		const { api, roots } = await policyApp();
		const foreign = '-- my own policy\nlocal kumo = require "kumo"\n';
		mkdirSync(roots.policy, { recursive: true });
		writeFileSync(roots.init, foreign);
		const expectedHash = await pendingHash(api);
		const wrong = [undefined, sha256('something else')];
		for (const takeOver of wrong) {
			const refusal = await refusalOf(api.apply({ expectedHash, ...(takeOver && { takeOver }) }));
			expect(refusal).toMatchObject({ code: 'PRECONDITION_FAILED', reason: 'policy-not-ours' });
			expect(refusal.message).toContain(sha256(foreign));
			expect(readFileSync(roots.init, 'utf8')).toBe(foreign);
		}
		const status = await api.status();
		expect(status.foreign).toEqual({ sha256: sha256(foreign), mayReplace: false });
		expect(await api.apply({ expectedHash, takeOver: sha256(foreign) })).toMatchObject({
			outcome: 'applied',
			revision: 1
		});
		expect(readFileSync(roots.before, 'utf8')).toBe(foreign);
		expect(readFileSync(roots.previous, 'utf8')).toBe(foreign);
	});

	it('two applies at once: the same one is answered twice, another one is refused', async () => {
		const [gate, reached] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
		const { app, api } = await policyApp({
			faultPoint(name) {
				if (name !== 'stage.written') return undefined;
				reached.resolve();
				return gate.promise;
			}
		});
		const expectedHash = await pendingHash(api);
		const first = api.apply({ expectedHash });
		const same = api.apply({ expectedHash });
		await reached.promise;
		await pauseSender(app, 0);
		const other = await refusalOf(api.apply({ expectedHash: await pendingHash(api) }));
		expect(other).toMatchObject({ code: 'CONFLICT', reason: 'apply-running' });
		expect(other.message).toMatch(/by ops@example\.net since 2026-01-05T/);
		gate.resolve();
		const [one, two] = await Promise.all([first, same]);
		expect(two.applyId).toBe(one.applyId);
		expect([one.outcome, two.outcome]).toEqual(['applied', 'applied']);
		expect((await api.revisions({})).total).toBe(1);
	});

	it('a symbolic link followed out of the policy directory', async () => {
		const { app, api, roots } = await policyApp();
		const elsewhere = join(app.env.dataDir, 'elsewhere');
		mkdirSync(elsewhere);
		const expectedHash = await pendingHash(api);
		mkdirSync(roots.etc, { recursive: true });
		symlinkSync(elsewhere, roots.dkim);
		expect(await refusalOf(api.apply({ expectedHash }))).toMatchObject({ reason: 'symbolic-link' });
		expect(readdirSync(elsewhere)).toEqual([]);
	});

	it('a key file written over, or used when it holds something else', async () => {
		const { api, roots } = await policyApp();
		const path = join(roots.dkim, domainName(0), 'k1.key');
		mkdirSync(join(roots.dkim, domainName(0)), { recursive: true });
		writeFileSync(path, 'another key', { mode: 0o600 });
		const answer = await applyAll(api);
		expect(answer.outcome).toBe('failed');
		expect(answer.steps.at(-1)).toMatchObject({ name: 'stage', status: 'failed' });
		expect(answer.steps.at(-1)?.output).toContain('holds another key');
		expect(readFileSync(path, 'utf8')).toBe('another key');
		expect((await api.status()).liveRevision).toBeNull();
	});

	it('a secret in a preview, a change list, a step or a revision', async () => {
		const { app, api } = await policyApp();
		const answers = [
			await api.preview(),
			await api.changes({}),
			await applyAll(api),
			await api.revision({ number: 1 })
		];
		const text = JSON.stringify(answers);
		expect(text).not.toContain(estateId('key text', 0));
		const rows = await app.database.client.execute('SELECT password_verifier AS hash FROM senders');
		expect(rows.rows.length).toBe(6);
		for (const { hash } of rows.rows) expect(text).not.toContain(hash as string);
	});
});

describe('apply', () => {
	it('writes one complete revision with its modes and says that KumoMTA is absent', async () => {
		const { app, api, roots } = await policyApp();
		await expect.poll(() => api.status()).toMatchObject({ liveRevision: null, dirty: true, drift: [], foreign: null });
		const answer = await applyAll(api);
		expect(answer).toMatchObject({ outcome: 'applied', revision: 1 });
		expect(answer.steps.map(({ name, status }) => `${name} ${status}`)).toEqual([
			'snapshot ok',
			'render ok',
			'check ok',
			'stage ok',
			'routes skipped',
			'validate skipped',
			'dovecot skipped',
			'swap ok',
			'refresh skipped',
			'probe skipped',
			'watch skipped',
			'record ok'
		]);
		expect(answer.steps[4]?.output).toBe('No golden routes are saved.');
		expect(answer.steps[5]?.output).toMatch(/KumoMTA is not installed here/);
		expect(answer.steps[6]?.output).toMatch(/^\d new mailboxes\.\nDovecot is not installed here/);
		const [name = ''] = readdirSync(roots.revisions);
		const directory = join(roots.revisions, name);
		expect(name).toMatch(/^1-[0-9a-f]{12}$/);
		expect(readFileSync(roots.init, 'utf8')).toBe(
			`-- kumomta-ui revision ${name}\nKUMOMTA_UI_REVISION_DIRECTORY = '${directory}' dofile(KUMOMTA_UI_REVISION_DIRECTORY .. '/program.lua')\n`
		);
		expect(readdirSync(directory)).toEqual([
			'directory.sqlite',
			'manifest.json',
			'node.toml',
			'program.lua',
			'shaping.toml'
		]);
		for (const each of [roots.policy, roots.revisions, directory, roots.dkim])
			expect([each, mode(each)]).toEqual([each, '750']);
		for (const file of readdirSync(directory)) expect([file, mode(join(directory, file))]).toEqual([file, '640']);
		expect(mode(roots.init)).toBe('640');
		const key = join(roots.dkim, domainName(1), 'k1.key');
		expect(mode(key)).toBe('600');
		expect(readFileSync(key, 'utf8')).toBe(estateKeyText(1));
		expect(readdirSync(roots.policy).filter((each) => /staged|tmp/.test(each))).toEqual([]);
		expect(await api.status()).toMatchObject({
			liveRevision: 1,
			liveAppliedAt: app.clock(),
			dirty: false,
			changes: 0,
			drift: []
		});
	});

	it('writes nothing when nothing changed', async () => {
		const { api, roots } = await policyApp();
		await applyAll(api);
		const before = statSync(roots.init).ino;
		expect(await applyAll(api)).toMatchObject({ outcome: 'unchanged', revision: 1 });
		expect(readdirSync(roots.revisions).length).toBe(1);
		expect(statSync(roots.init).ino).toBe(before);
	});

	it('shares the directory file between revisions whose data is the same, and only then', async () => {
		const { app, api, roots } = await policyApp();
		await applyAll(api);
		await app.database.client.execute("UPDATE settings SET hostname = 'mta2.example.net'");
		await applyAll(api);
		await pauseSender(app, 0);
		await applyAll(api);
		const inodes = readdirSync(roots.revisions).map(
			(name) => statSync(join(roots.revisions, name, 'directory.sqlite')).ino
		);
		expect(inodes[1]).toBe(inodes[0]);
		expect(inodes[2]).not.toBe(inodes[0]);
		expect(readFileSync(roots.previous, 'utf8')).toContain('revision 2-');
	});

	it('shows files that were changed by hand and refuses until told to overwrite them', async () => {
		const { app, api, roots } = await policyApp();
		await applyAll(api);
		const [name = ''] = readdirSync(roots.revisions);
		writeFileSync(join(roots.revisions, name, 'shaping.toml'), '# mine\n');
		const path = `revisions/${name}/shaping.toml`;
		expect((await api.status()).drift).toEqual([{ path, what: 'changed', needsOverwrite: true }]);
		await pauseSender(app, 0);
		const expectedHash = await pendingHash(api);
		const refusal = await refusalOf(api.apply({ expectedHash }));
		expect(refusal).toMatchObject({ code: 'PRECONDITION_FAILED', reason: 'drift' });
		expect(refusal.message).toContain(path);
		expect(await api.apply({ expectedHash, overwriteDrift: true })).toMatchObject({ outcome: 'applied', revision: 2 });
		expect((await api.status()).drift).toEqual([]);
	});

	it('takes over the packaged sample without being asked, and can give it back', async () => {
		const { api, roots } = await policyApp();
		const sample = '-- minimal\n';
		mkdirSync(join(roots.root, 'share'), { recursive: true });
		mkdirSync(roots.policy, { recursive: true });
		writeFileSync(roots.packaged, sample);
		writeFileSync(roots.init, sample);
		expect(await applyAll(api)).toMatchObject({ outcome: 'applied' });
		expect(readFileSync(roots.before, 'utf8')).toBe(sample);
		expect(await api.restore({ number: 0 })).toMatchObject({ outcome: 'applied', revision: 0 });
		expect(readFileSync(roots.init, 'utf8')).toBe(sample);
		expect(await api.status()).toMatchObject({ liveRevision: 0, dirty: true });
	});

	it('restores an older revision as a new one and leaves the editing tables alone', async () => {
		const { app, api, roots } = await policyApp();
		await applyAll(api);
		await pauseSender(app, 0);
		await applyAll(api);
		expect(await api.restore({ number: 1 })).toMatchObject({ outcome: 'applied', revision: 3 });
		const names = readdirSync(roots.revisions);
		expect(names[2]?.slice(2)).toBe(names[0]?.slice(2));
		expect(await api.status()).toMatchObject({ liveRevision: 3, dirty: true, changes: 1 });
		expect((await api.revisions({})).items.map(({ number, isLive }) => [number, isLive])).toEqual([
			[3, true],
			[2, false],
			[1, false]
		]);
	});

	it('takes an apply back: the revision before is live under its old number', async () => {
		const { app, api } = await policyApp();
		const first = await applyAll(api);
		await pauseSender(app, 0);
		const second = await applyAll(api);
		expect(await refusalOf(api.revert({ applyId: first.applyId }))).toMatchObject({ reason: 'not-live' });
		expect(await api.revert({ applyId: second.applyId })).toMatchObject({ outcome: 'applied', revision: 1 });
		expect(await api.status()).toMatchObject({ liveRevision: 1, dirty: true });
		expect(await api.progress({ applyId: second.applyId })).toMatchObject({ outcome: 'reverted', revision: 2 });
	});

	it('refuses what has problems, and a live object that would drop out unless it is named', async () => {
		const { app, api } = await policyApp();
		await applyAll(api);
		await app.database.client.execute({ sql: 'DELETE FROM dkim_keys WHERE id = ?', args: [estateId('key', 0)] });
		const expectedHash = await pendingHash(api);
		expect(await refusalOf(api.apply({ expectedHash }))).toMatchObject({
			code: 'PRECONDITION_FAILED',
			reason: 'problems'
		});
		expect(await api.apply({ expectedHash, dropping: [estateId('domain', 0)] })).toMatchObject({ outcome: 'applied' });
	});

	it('answers as running when it takes long, and can be followed', async () => {
		const { app, api } = await policyApp();
		const { applyPending } = await import('./apply.ts');
		const who = { actor: 'cli:0', name: 'cli:0', userId: null, sessionId: null };
		const times = {
			answerAfterMs: 0,
			patience: { validateMs: 1000, aliveMs: 0, loadedMs: 0, greetMs: 100, pauseMs: 1 }
		};
		const early = await applyPending(app, who, { expectedHash: await pendingHash(api) }, times);
		expect(early.outcome).toBe('running');
		await expect.poll(async () => (await api.progress({ applyId: early.applyId })).outcome).toBe('applied');
		expect(await api.progress({ applyId: early.applyId })).toMatchObject({ actor: 'cli:0', revision: 1 });
	});
});
