import { gzipSync } from 'node:zlib';
import { expect, test } from '@playwright/test';
import { startBuiltServer } from '../support/built-server.ts';
import type { BuiltServer } from '../support/built-server.ts';
import { expectAccessible, register, signIn, watchPage } from '../support/panel.ts';
import { addDefaultPool } from '../support/small-estate.ts';

let server: BuiltServer;
let registered: Awaited<ReturnType<typeof register>>;

test.beforeAll(async () => {
	server = await startBuiltServer();
	registered = await register(server);
	const { client } = registered;
	const { sourceId } = await addDefaultPool(client);
	const preview = await client.policy.preview.query();
	await client.policy.apply.mutate({ expectedHash: preview.hash, reason: 'First' });
	await client.pools.create.mutate({ name: 'warm', sources: [{ sourceId, weight: 1 }] });
});
test.afterAll(() => server.remove());

const paths = [
	'/',
	'/sources',
	'/pools',
	'/policy/review',
	'/policy/revisions',
	'/policy/revisions/1',
	'/policy/compare',
	'/policy/simulate',
	'/policy/routes',
	'/feedback',
	'/feedback?paste=1',
	'/health',
	'/audit',
	'/settings',
	'/account'
];

for (const [width, height, theme] of [
	[1440, 900, 'light'],
	[390, 844, 'dark']
] as const) {
	test(`pages without barriers or refused code at ${width} px, ${theme}`, async ({ browser }) => {
		test.setTimeout(180_000);
		const context = await browser.newContext({
			viewport: { width, height },
			colorScheme: theme,
			reducedMotion: 'reduce'
		});
		const page = await context.newPage();
		const { complaints } = await watchPage(page);
		await page.goto(`${server.url}/login`);
		await page.getByRole('heading', { level: 1 }).waitFor();
		await expectAccessible(page);
		await signIn(page, registered.session);
		for (const path of paths) {
			await page.goto(server.url + path);
			await page.getByRole('heading', { level: 1 }).waitFor();
			await page.waitForLoadState('networkidle');
			await expectAccessible(page);
		}
		expect(complaints).toEqual([]);
		await context.close();
	});
}

test('login and overview load at most 90 KB of JavaScript', async ({ page }) => {
	const scripts = new Map<string, number>();
	page.on('response', (response) => {
		if (response.request().resourceType() !== 'script') return;
		void response.body().then((body) => scripts.set(response.url(), gzipSync(body, { level: 9 }).length));
	});
	await page.goto(`${server.url}/login`);
	await page.waitForLoadState('networkidle');
	await signIn(page, registered.session);
	await page.goto(server.url);
	await page.waitForLoadState('networkidle');
	const kilobytes = [...scripts.values()].reduce((sum, bytes) => sum + bytes, 0) / 1024;
	console.log(`login and overview: ${kilobytes.toFixed(1)} KB of JavaScript, gzip`);
	expect(scripts.size).toBeGreaterThan(3);
	expect(kilobytes).toBeLessThanOrEqual(90);
});

test('settings: an error stands beside its field, what was typed stays, and a save is audited', async ({ page }) => {
	await signIn(page, registered.session);
	await page.goto(`${server.url}/settings`);
	const host = page.getByLabel('Host name');
	await host.fill('not a name');
	await host.press('Enter');
	await expect(host).toHaveAttribute('aria-invalid', 'true');
	await expect(page.getByText('This is not a domain name. Write it like mail.example.com.')).toBeVisible();
	await expect(host).toBeFocused();
	await expect(host).toHaveValue('not a name');
	await host.fill('mta2.example.net');
	await host.press('Enter');
	await expect(page.getByText('Server settings saved')).toBeVisible();
	expect((await registered.client.settings.get.query()).hostname).toBe('mta2.example.net');
	await expect(page.getByText('not live yet')).toBeVisible();
	const { items } = await registered.client.audit.list.query({ action: 'settings.update' });
	expect(items.slice(0, 2).map(({ outcome }) => outcome)).toEqual(['ok', 'BAD_REQUEST']);
});

test('settings: a key that went in never comes out', async ({ page }) => {
	await signIn(page, registered.session);
	await page.goto(`${server.url}/settings`);
	await page.getByLabel('Provider', { exact: true }).selectOption('anthropic');
	await page.getByLabel('Key', { exact: true }).fill('sk-canary-of-the-settings');
	await page.getByLabel('Key', { exact: true }).press('Enter');
	await expect(page.getByText('A key is set')).toBeVisible();
	await page.reload();
	await expect(page.getByText('A key is set')).toBeVisible();
	expect(await page.content()).not.toContain('sk-canary');
	expect(JSON.stringify(await registered.client.settings.get.query())).not.toContain('sk-canary');
	expect(JSON.stringify(await registered.client.audit.list.query({}))).not.toContain('sk-canary');
	expect(server.output()).not.toContain('sk-canary');
});
