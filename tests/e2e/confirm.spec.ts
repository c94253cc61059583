import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from '@playwright/test';
import { startBuiltServer } from '../support/built-server.ts';
import type { BuiltServer } from '../support/built-server.ts';
import { makeKumodExecutableDouble } from '../support/kumod-executable-double.ts';
import type { KumodExecutableDouble } from '../support/kumod-executable-double.ts';
import { startKumodDouble } from '../support/kumod-http-double.ts';
import type { KumodDouble } from '../support/kumod-http-double.ts';
import { expectAccessible, register, shoot, signIn, watchPage } from '../support/panel.ts';
import { startSmtpDouble } from '../support/smtp-double.ts';

/** Confirmations, a panel that is killed, and a disk that refuses, on a built server beside doubles: not KumoMTA. */

type Registered = Awaited<ReturnType<typeof register>>;
let server: BuiltServer;
let kumod: KumodDouble;
let executable: KumodExecutableDouble;
let smtp: Awaited<ReturnType<typeof startSmtpDouble>>;
let panel: Registered;
let names = 0;
const directory = mkdtempSync(join(tmpdir(), 'kumomta-ui-confirm-'));
const refusal = join(directory, 'disk-refuses');

test.beforeAll(async () => {
	kumod = await startKumodDouble();
	smtp = await startSmtpDouble('greets');
	executable = makeKumodExecutableDouble(directory);
	server = await startBuiltServer({
		KUMOD_API: kumod.url,
		KUMOD_BIN: executable.bin,
		DISK_REFUSES: refusal,
		NODE_OPTIONS: `--import=${join(import.meta.dirname, '../support/machine-double.ts')}`
	});
	panel = await register(server);
	const { client } = panel;
	await client.settings.update.mutate({
		hostname: 'mta1.example.net',
		listeners: [{ address: '127.0.0.1', port: smtp.port, purpose: 'inbound' }],
		watchSeconds: 0
	});
	const source = await client.sources.create.mutate({ address: '203.0.113.24', ehloDomain: 'out1.example.net' });
	if (!('id' in source)) throw new Error('One source was asked for.');
	const pool = await client.pools.create.mutate({ name: 'main', sources: [{ sourceId: source.id, weight: 1 }] });
	const domain = await client.domains.create.mutate({ name: 'news.example' });
	await client.senders.create.mutate({ domainId: domain.id, localPart: 'letter', poolId: pool.id });
	const { hash } = await client.policy.preview.query();
	expect(await client.policy.apply.mutate({ expectedHash: hash })).toMatchObject({ outcome: 'applied', revision: 1 });
});
test.afterAll(async () => {
	await server.remove();
	await smtp.close();
	await kumod.close();
	rmSync(directory, { recursive: true, force: true });
});

const init = () => readFileSync(join(server.kumomtaRoot, 'etc/policy/init.lua'), 'utf8');
const watching = async () => (await panel.client.policy.status.query()).watching;
/** Only this restarts KumoMTA. */
const rename = () => panel.client.settings.update.mutate({ hostname: `mta${(names += 1) + 1}.example.net` });

/** Starts an apply from here and answers once it has come to `phase`. */
async function applyUntil(phase: 'watching' | 'confirming'): Promise<string> {
	const { hash } = await panel.client.policy.preview.query();
	// The server may be killed before it answers.
	void panel.client.policy.apply.mutate({ expectedHash: hash }).catch(() => undefined);
	await expect.poll(async () => (await watching())?.phase, { timeout: 30_000, intervals: [100] }).toBe(phase);
	return (await watching())?.applyId ?? '';
}

/** Exactly one complete revision is live, and it is the one that the status names. */
async function expectLive(revision: number): Promise<void> {
	expect(init()).toContain(`revision ${revision}-`);
	expect(await panel.client.policy.status.query()).toMatchObject({ liveRevision: revision, drift: [] });
}

async function killAndStart(meanwhile = () => {}): Promise<void> {
	await server.stop('SIGKILL');
	meanwhile();
	await server.restart();
}

test('a change of listeners waits to be confirmed, and goes back when nobody does', async ({ page }) => {
	test.setTimeout(180_000);
	await panel.client.settings.update.mutate({ confirmListeners: true });
	const { complaints } = await watchPage(page);
	await signIn(page, panel.session);
	const applyHere = async () => {
		await rename();
		await page.goto(`${server.url}/policy/review`);
		await page.getByRole('button', { name: /^Apply/ }).click();
		await expect(page.getByText('Confirm that mail still works')).toBeVisible({ timeout: 30_000 });
	};

	await test.step('another page says so; it is confirmed by the button', async () => {
		await applyHere();
		await expect(page.getByText(/If nobody confirms in 4 min \d+ s/)).toBeVisible();
		await expectAccessible(page);
		await shoot(page, 'confirming');
		await page.goto(`${server.url}/domains`);
		await expect(page.getByText('The last apply waits to be confirmed.')).toBeVisible();
		await expectAccessible(page);
		await shoot(page, 'bar-confirming');
		await page.getByRole('link', { name: 'See the watch' }).click();
		await page.getByRole('button', { name: 'Confirm: mail works' }).click();
		await expect(page.getByText(/Revision 2 is live/).first()).toBeVisible();
		await expectLive(2);
	});

	await test.step('nobody confirms', async () => {
		await applyHere();
		process.kill(server.pid(), 'SIGUSR2');
		await expect(page.getByText('The revision was put back')).toBeVisible({ timeout: 30_000 });
		await expect(page.getByText('Nobody confirmed it in 5 minutes.').first()).toBeVisible();
		await shoot(page, 'not-confirmed');
		await expectLive(2);
	});
	expect(complaints).toEqual([]);
});

test('a panel that is killed settles the open apply when it starts again', async () => {
	test.setTimeout(180_000);
	const { client } = panel;
	await client.settings.update.mutate({ watchSeconds: 60, confirmListeners: false });
	await rename();
	const live = (await client.policy.status.query()).liveRevision ?? 0;
	const settled = async (applyId: string, outcome: string) =>
		expect
			.poll(async () => (await client.policy.progress.query({ applyId })).outcome, { timeout: 30_000 })
			.toBe(outcome);

	await test.step('while it watches: the revision stays, not judged', async () => {
		const applyId = await applyUntil('watching');
		await killAndStart();
		await settled(applyId, 'applied');
		const { steps, revision } = await client.policy.progress.query({ applyId });
		expect(steps.find(({ name }) => name === 'watch')).toMatchObject({ status: 'skipped' });
		expect(steps.find(({ name }) => name === 'watch')?.output).toContain('Not judged: the panel stopped.');
		expect(revision).toBeGreaterThan(live);
		await expectLive(revision ?? 0);
	});

	await test.step('while it waits to be confirmed: it still may be', async () => {
		await client.settings.update.mutate({ watchSeconds: 0, confirmListeners: true });
		await rename();
		const applyId = await applyUntil('confirming');
		await killAndStart();
		expect(await watching()).toMatchObject({ applyId, phase: 'confirming' });
		await client.policy.confirm.mutate({ applyId });
		await settled(applyId, 'applied');
		await expectLive((await client.policy.progress.query({ applyId })).revision ?? 0);
	});

	await test.step('while it waits to be confirmed, and its time is over: it goes back', async () => {
		const before = (await client.policy.status.query()).liveRevision ?? 0;
		await rename();
		const applyId = await applyUntil('confirming');
		await killAndStart(() => {
			const database = new DatabaseSync(join(server.dataDir, 'panel.db'));
			database.prepare('UPDATE applies SET confirm_until_at = ? WHERE id = ?').run(Date.now() - 1, applyId);
			database.close();
		});
		await settled(applyId, 'reverted');
		await expectLive(before);
	});
});

test('a way back that the disk refuses is red on every page until it is done', async ({ page }) => {
	test.setTimeout(180_000);
	const { client } = panel;
	await client.settings.update.mutate({ watchSeconds: 60, confirmListeners: false });
	const before = (await client.policy.status.query()).liveRevision ?? 0;
	const { complaints } = await watchPage(page);
	await signIn(page, panel.session);
	await rename();
	await applyUntil('watching');
	writeFileSync(refusal, '');
	kumod.script.notAlive = 'load shedding';
	await page.goto(`${server.url}/policy/review`);
	await expect(page.getByText(/is bad and could not be put back/)).toBeVisible({ timeout: 30_000 });
	await expect(page.getByRole('alert').getByText(/the disk is full/)).toBeVisible();
	await expectAccessible(page);
	await shoot(page, 'stuck');
	await page.goto(`${server.url}/domains`);
	await expect(page.getByText('A bad revision is still live: it could not be put back.')).toBeVisible();
	await expectAccessible(page);
	await shoot(page, 'bar-stuck');
	await page.getByRole('link', { name: 'See why' }).click();

	rmSync(refusal);
	kumod.script.notAlive = undefined;
	await page.getByRole('button', { name: 'Try again now' }).click();
	await expect(page.getByText('The revision was put back')).toBeVisible({ timeout: 30_000 });
	await expectLive(before);
	expect(complaints).toEqual([]);
});

test('an apply is followed step by step, and one that fails says why', async ({ page }) => {
	test.setTimeout(120_000);
	await panel.client.settings.update.mutate({ watchSeconds: 0, confirmListeners: false });
	const before = (await panel.client.policy.status.query()).liveRevision ?? 0;
	executable.set({
		validate: 1,
		stderr: 'error: unexpected symbol',
		startsAfterMs: process.env.SHOTS ? 6000 : 1000
	});
	await signIn(page, panel.session);
	await page.goto(`${server.url}/policy/review`);
	await page.getByRole('button', { name: /^Apply/ }).click();
	const steps = page.getByRole('list', { name: 'Steps of the apply' });
	await expect(steps.getByText('Validate with KumoMTA')).toBeVisible({ timeout: 30_000 });
	await shoot(page, 'running');
	await expect(page.getByText('The apply failed')).toBeVisible({ timeout: 60_000 });
	await expect(steps.getByText(/error: unexpected symbol/)).toBeVisible();
	await expectAccessible(page);
	await shoot(page, 'failed');
	await expectLive(before);
});
