import { expect, test } from '@playwright/test';
import { startBuiltServer } from '../support/built-server.ts';
import type { BuiltServer } from '../support/built-server.ts';
import { expectAccessible, register, signIn, watchPage } from '../support/panel.ts';

let server: BuiltServer;
let registered: Awaited<ReturnType<typeof register>>;

test.beforeAll(async () => {
	server = await startBuiltServer();
	registered = await register(server);
	const { client } = registered;
	const source = await client.sources.create.mutate({ address: '203.0.113.24', ehloDomain: 'out1.example.net' });
	if (!('id' in source)) throw new Error('One source was asked for.');
	const pool = await client.pools.create.mutate({ name: 'main', sources: [{ sourceId: source.id, weight: 1 }] });
	await client.settings.update.mutate({ hostname: 'mta1.example.net', defaultPoolId: pool.id });
	const domain = await client.domains.create.mutate({ name: 'example.com' });
	const key = await client.dkim.generate.mutate({ domainId: domain.id, algorithm: 'ed25519' });
	await client.dkim.activate.mutate({ id: key.id });
	await client.senders.create.mutate({ domainId: domain.id, localPart: 'news', poolId: pool.id });
});
test.afterAll(() => server.remove());

test('a message is simulated by keyboard: accepted with its way out, refused with its rule', async ({ page }) => {
	const { complaints } = await watchPage(page);
	await signIn(page, registered.session);
	await page.goto(`${server.url}/policy/simulate`);
	await expect(page.getByLabel('Logged in as')).toHaveValue('news@example.com');
	await page.getByLabel('Client address').press('Enter');
	await expect(page.getByText('Accepted', { exact: true })).toBeVisible();
	await expect(page.getByText('news.example.com@gmail.com', { exact: true })).toBeVisible();
	await expect(page.getByText('k1._domainkey.example.com')).toBeVisible();
	await expect(page.getByText('203.0.113.24', { exact: true })).toBeVisible();
	await expectAccessible(page);

	await page.locator('[name=from]').fill('boss@example.com');
	await page.getByLabel('Client address').press('Enter');
	await expect(page.getByText('Refused', { exact: true })).toBeVisible();
	await expect(page.getByText('550 5.7.1 this sender may not use this From address').first()).toBeVisible();

	await page.getByLabel('Arrives by').selectOption('relay');
	await page.getByLabel('Client address').press('Enter');
	await expect(page.getByLabel('Arrives by')).toHaveAttribute('aria-invalid', 'true');
	await page.getByLabel('Client address').fill('nowhere');
	await page.getByLabel('Client address').press('Enter');
	await expect(page.getByLabel('Client address')).toBeFocused();
	expect(complaints).toEqual([]);
});

test('a client is told step by step, and what stays unknown', async () => {
	const answer = await registered.client.policy.simulate.query({
		arrival: { via: 'http', clientAddress: '127.0.0.1' },
		mailFrom: 'news@example.com',
		recipients: ['someone@gmail.com', 'someone@x.log_hook'],
		headers: [{ name: 'From', value: 'news@example.com' }]
	});
	expect(answer).toMatchObject({ revision: null, engine: 'double', verdict: 'partly' });
	expect(answer.recipients.map(({ rule }) => rule)).toEqual(['accepted', 'reserved-domain']);
	expect(answer.recipients[0]?.message?.sources).toMatchObject([{ address: '203.0.113.24', pathLimits: null }]);
	expect(answer.unknowns.map(({ code }) => code)).toEqual(expect.arrayContaining(['engine', 'path-limits']));
});

test('no barrier on a phone in the dark', async ({ browser }) => {
	const context = await browser.newContext({ viewport: { width: 390, height: 844 }, colorScheme: 'dark' });
	const page = await context.newPage();
	await signIn(page, registered.session);
	await page.goto(`${server.url}/policy/simulate`);
	await page.getByRole('button', { name: 'Simulate' }).click();
	await expect(page.getByText('Accepted', { exact: true })).toBeVisible();
	await expectAccessible(page);
	await context.close();
});
