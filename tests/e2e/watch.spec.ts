import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { startBuiltServer } from '../support/built-server.ts';
import type { BuiltServer } from '../support/built-server.ts';
import { makeKumodExecutableDouble } from '../support/kumod-executable-double.ts';
import { startKumodDouble } from '../support/kumod-http-double.ts';
import type { KumodDouble } from '../support/kumod-http-double.ts';
import { expectAccessible, register, shoot, signIn, watchPage } from '../support/panel.ts';
import { startSmtpDouble } from '../support/smtp-double.ts';

/** The health gate on a built server, beside doubles of KumoMTA: not KumoMTA. */

let server: BuiltServer;
let kumod: KumodDouble;
let smtp: Awaited<ReturnType<typeof startSmtpDouble>>;
const directory = mkdtempSync(join(tmpdir(), 'kumomta-ui-watch-'));

test.beforeAll(async () => {
	kumod = await startKumodDouble();
	smtp = await startSmtpDouble('greets');
	server = await startBuiltServer({
		KUMOD_API: kumod.url,
		KUMOD_BIN: makeKumodExecutableDouble(directory).bin
	});
});
test.afterAll(async () => {
	await server.remove();
	await smtp.close();
	await kumod.close();
	rmSync(directory, { recursive: true, force: true });
});

test('a bad revision goes back by itself, a watch can be ended, and both are seen', async ({ page }) => {
	test.setTimeout(120_000);
	const { session, client } = await register(server);
	await client.settings.update.mutate({
		hostname: 'mta1.example.net',
		listeners: [{ address: '127.0.0.1', port: smtp.port, purpose: 'inbound' }],
		watchSeconds: 60
	});
	const source = await client.sources.create.mutate({ address: '203.0.113.24', ehloDomain: 'out1.example.net' });
	if (!('id' in source)) throw new Error('One source was asked for.');
	const pool = await client.pools.create.mutate({ name: 'main', sources: [{ sourceId: source.id, weight: 1 }] });
	const domain = await client.domains.create.mutate({ name: 'news.example' });
	const { hash } = await client.policy.preview.query();
	expect(await client.policy.apply.mutate({ expectedHash: hash })).toMatchObject({ outcome: 'applied', revision: 1 });
	const init = () => readFileSync(join(server.kumomtaRoot, 'etc/policy/init.lua'), 'utf8');
	const former = init();
	await client.senders.create.mutate({ domainId: domain.id, localPart: 'letter', poolId: pool.id });

	const { complaints } = await watchPage(page);
	await signIn(page, session);
	const applyHere = async () => {
		await page.goto(`${server.url}/policy/review`);
		await page.getByRole('button', { name: 'Apply', exact: true }).click();
		await expect(page.getByText('Watching the new revision')).toBeVisible();
		await expect(page.getByRole('list', { name: 'Measures' })).toContainText('KumoMTA is alive');
	};

	await test.step('the double stops being alive: what was live is back, with the evidence', async () => {
		await applyHere();
		await expectAccessible(page);
		await shoot(page, 'watching');
		expect(init()).not.toBe(former);
		kumod.script.notAlive = 'load shedding';
		// The revision before works: the double is alive again as soon as it is told of it.
		kumod.script.onBump = () => void (kumod.script.notAlive = undefined);
		await expect(page.getByText('The revision was put back')).toBeVisible({ timeout: 30_000 });
		await expect(page.getByRole('list', { name: 'Measures' })).toContainText('broke the limit');
		await expect(page.getByRole('list', { name: 'Measures' })).toContainText('load shedding');
		expect(init()).toBe(former);
		await shoot(page, 'reverted');
	});

	await test.step('the next one is kept by hand before its time', async () => {
		await applyHere();
		await page.goto(`${server.url}/domains`);
		await expect(page.getByText('The last apply is live and being watched.')).toBeVisible();
		await expectAccessible(page);
		await shoot(page, 'bar-watching');
		await page.getByRole('link', { name: 'See the watch' }).click();
		await page.getByRole('button', { name: 'End the watch and keep it' }).click();
		await expect(page.getByText(/Revision 3 is live/).first()).toBeVisible();
		await expect(page.getByText('ended the watch and kept it').first()).toBeVisible();
		expect(init()).toContain('revision 3-');
	});

	await test.step('the settings say how long', async () => {
		await page.goto(`${server.url}/settings`);
		await expect(page.getByLabel('Seconds to watch a new revision')).toHaveValue('60');
		await expectAccessible(page);
		await shoot(page, 'settings');
	});
	expect(complaints).toEqual([]);
});
