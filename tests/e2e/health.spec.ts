import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { startBuiltServer } from '../support/built-server.ts';
import type { BuiltServer } from '../support/built-server.ts';
import { expectAccessible, register, shoot, signIn, watchPage } from '../support/panel.ts';

let server: BuiltServer;
let registered: Awaited<ReturnType<typeof register>>;

test.beforeAll(async () => {
	server = await startBuiltServer();
	registered = await register(server);
});
test.afterAll(() => server.remove());

test('a file that others can read is told on the overview, explained, mended and checked again', async ({ page }) => {
	test.setTimeout(120_000);
	const { complaints } = await watchPage(page);
	await signIn(page, registered.session);
	const stray = join(server.dataDir, 'notes');
	writeFileSync(stray, 'not for everybody');
	chmodSync(stray, 0o644);
	await page.goto(`${server.url}/health`);
	await page.getByRole('button', { name: 'Check all now' }).click();
	const files = page.locator('details#data-files');
	await expect(files).toHaveAttribute('open', '', { timeout: 60_000 });
	await expect(files.getByText(`${stray}: mode 0644`)).toBeVisible();
	await expect(files.getByText('What to do.')).toBeVisible();
	await expectAccessible(page);
	await shoot(page, 'health');

	await page.goto(server.url);
	await expect(page.getByText(/checks? of this server failed\./)).toBeVisible();
	await shoot(page, 'overview-failed');
	await page.getByRole('link', { name: 'Look', exact: true }).click();
	await expect(page.getByRole('heading', { level: 1, name: 'Security and health' })).toBeVisible();

	chmodSync(stray, 0o600);
	await files.getByRole('button', { name: 'Check Database and keys again' }).click();
	await expect(page.getByRole('region', { name: 'In order' }).getByText('Database and keys')).toBeVisible();
	await expect(page.getByRole('heading', { name: 'Mend now' })).toHaveCount(0);
	expect(complaints).toEqual([]);
});

test('blocklists are asked only when somebody says so, and a field to mend is one click away', async ({ page }) => {
	const { complaints } = await watchPage(page);
	await signIn(page, registered.session);
	const asked = async () =>
		(await registered.client.health.list.query()).items.find(({ id }) => id === 'blocklists')?.outcome;
	expect(await asked()).toBeNull();
	await page.goto(`${server.url}/health`);
	await page.getByRole('button', { name: 'Ask them' }).click();
	const lists = page.locator('details#blocklists');
	await expect(lists.getByText('No source has a public address')).toBeVisible({ timeout: 30_000 });
	expect(await asked()).toBe('unknown');

	const api = page.locator('details#api-access');
	await api.locator('summary').press('Enter');
	await expect(api.getByText('What to do.')).toBeVisible();
	await expectAccessible(page);
	await shoot(page, 'health-open');
	await api.getByRole('link', { name: 'Go there' }).click();
	await expect(page.getByLabel('Who may use KumoMTA’s HTTP API')).toBeFocused();
	expect(complaints).toEqual([]);
});
