import { expect, test } from '@playwright/test';
import { startBuiltServer } from '../support/built-server.ts';
import type { BuiltServer } from '../support/built-server.ts';
import { startKumodDouble } from '../support/kumod-http-double.ts';
import type { KumodDouble } from '../support/kumod-http-double.ts';
import { expectAccessible, register, shoot, signIn, watchPage } from '../support/panel.ts';

let server: BuiltServer;
let kumod: KumodDouble;
test.beforeAll(async () => {
	kumod = await startKumodDouble();
	server = await startBuiltServer({ KUMOD_API: kumod.url });
});
test.afterAll(async () => {
	await server.remove();
	await kumod.close();
});

test('a KumoMTA that goes away is said since when, on every page, until it is back', async ({ page }) => {
	test.setTimeout(90_000);
	const { complaints } = await watchPage(page);
	const { session } = await register(server);
	await signIn(page, session);
	const away = page.getByText(/KumoMTA has not answered since \d\d:\d\d\./);

	await page.goto(server.url);
	await expect(page.getByText('Running, version 2026.03.04-bb93ecb1')).toBeVisible({ timeout: 20_000 });
	await expect(away).toBeHidden();

	await kumod.close();
	await expect(away).toBeVisible({ timeout: 30_000 });
	await expect(page.getByText('Not answering')).toBeVisible();
	await expect(page.getByText('Mail it already has is not affected by the panel.')).toBeVisible();
	await shoot(page, 'bar-away');
	await page.setViewportSize({ width: 390, height: 844 });
	for (const colorScheme of ['dark', 'light'] as const) {
		await page.emulateMedia({ colorScheme });
		await expectAccessible(page);
	}
	for (const path of ['/domains', '/senders', '/pools', '/sources', '/policy/review', '/settings', '/audit']) {
		await page.goto(server.url + path);
		await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
		await expect(away).toBeVisible();
	}

	kumod = await startKumodDouble(kumod.port);
	await expect(away).toBeHidden({ timeout: 30_000 });
	expect(complaints).toEqual([]);
});
