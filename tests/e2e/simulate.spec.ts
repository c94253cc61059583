import { expect, test } from '@playwright/test';
import { startBuiltServer } from '../support/built-server.ts';
import type { BuiltServer } from '../support/built-server.ts';
import { expectAccessible, register, signIn, watchPage } from '../support/panel.ts';
import { addDefaultPool, addSender } from '../support/small-estate.ts';

let server: BuiltServer;
let registered: Awaited<ReturnType<typeof register>>;

test.beforeAll(async () => {
	server = await startBuiltServer();
	registered = await register(server);
	const { client } = registered;
	await addSender(client, (await addDefaultPool(client)).id);
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

	await page.reload();
	await expect(page.getByText('Refused', { exact: true })).toBeVisible();
	await expect(page.locator('[name=from]')).toHaveValue('boss@example.com');

	await page.getByLabel('Arrives by').selectOption('relay');
	await page.getByLabel('Client address').press('Enter');
	await expect(page.getByLabel('Arrives by')).toHaveAttribute('aria-invalid', 'true');
	await page.getByLabel('Client address').fill('nowhere');
	await page.getByLabel('Client address').press('Enter');
	await expect(page.getByLabel('Client address')).toBeFocused();
	expect(complaints).toEqual([]);
});

test('the sender is found by keyboard, and its addresses go along; a text of lines is sent by Ctrl+Enter', async ({
	page
}) => {
	const { client } = registered;
	const [news] = (await client.senders.list.query({})).items;
	if (news === undefined) throw new Error('There is no sender.');
	const { domainId, poolId } = await client.senders.get.query({ id: news.id });
	await client.senders.create.mutate({ domainId, localPart: 'alerts', poolId });
	await signIn(page, registered.session);
	await page.goto(`${server.url}/policy/simulate`);
	const login = page.getByRole('combobox', { name: 'Logged in as' });
	const offered = page.getByRole('listbox', { name: 'Senders' }).getByRole('option');
	await login.click();
	await expect(offered).toHaveText(['alerts@example.com', 'news@example.com']);
	await expectAccessible(page);
	await login.fill('aler');
	await expect(offered).toHaveText(['alerts@example.com']);
	await login.press('ArrowDown');
	await login.press('Enter');
	await expect(login).toHaveValue('alerts@example.com');
	await expect(offered).toHaveCount(0);
	await login.fill('news@example.com');
	await login.press('Escape');
	await expect(page.locator('[name=mailFrom]')).toHaveValue('news@example.com');
	await page.getByLabel('Recipients').fill('a@gmail.com\nb@x.log_hook');
	await page.getByLabel('Recipients').press('Control+Enter');
	await expect(page.getByText('Accepted for some recipients', { exact: true })).toBeVisible();
	await expect(page).toHaveURL(/[?&]to=a%40gmail\.com%0Ab%40x\.log_hook&/);
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
