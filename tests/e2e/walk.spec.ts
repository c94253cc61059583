import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import type { Page } from '@playwright/test';
import { startBuiltServer } from '../support/built-server.ts';
import type { BuiltServer } from '../support/built-server.ts';
import { account, watchPage } from '../support/panel.ts';

/** A person who has never read KumoMTA's manual, from the setup code to revision 1, following the checklist. */

let server: BuiltServer;
test.beforeAll(async () => {
	server = await startBuiltServer();
});
test.afterAll(() => server.remove());

/** Opens a step of the checklist: each leads to the exact place. */
async function followChecklist(page: Page, step: string): Promise<void> {
	await page.goto(server.url);
	await page.getByRole('list').getByRole('link', { name: step, exact: true }).click();
}

test('from an empty server to a live revision, in the browser', async ({ page }) => {
	test.setTimeout(180_000);
	const { complaints } = await watchPage(page);

	await test.step('registers with the setup code', async () => {
		await page.goto(server.url);
		await expect(page).toHaveURL(/\/setup$/);
		await page.getByLabel('Setup code').fill('0000-0000');
		await page.getByLabel('E-mail').fill(account.email);
		await page.getByLabel('Password', { exact: true }).fill(account.password);
		await page.keyboard.press('Enter');
		await expect(page.getByText('This is not the setup code.')).toBeVisible();
		await page.getByLabel('Setup code').fill(server.setupCode());
		await page.keyboard.press('Enter');
		await expect(page.getByRole('heading', { name: 'To the first mail' })).toBeVisible();
	});

	await test.step('sets the host name', async () => {
		await followChecklist(page, 'Host name');
		await page.getByLabel('Host name').fill('mta1.example.net');
		await page.keyboard.press('Enter');
		await expect(page.getByText('Server settings saved')).toBeVisible();
	});

	await test.step('adds a source and a pool', async () => {
		await followChecklist(page, 'Source');
		await page.getByRole('textbox', { name: 'Address', exact: true }).fill('203.0.113.24');
		await page.getByLabel('Greets as').fill('out1.example.net');
		await page.keyboard.press('Enter');
		await expect(page.getByRole('cell', { name: '203.0.113.24' })).toBeVisible();
		await followChecklist(page, 'Pool');
		await page.getByLabel('Name', { exact: true }).fill('main');
		await page.getByLabel('Source 1', { exact: true }).selectOption({ index: 1 });
		await page.getByRole('button', { name: 'Add pool' }).click();
		await expect(page.getByRole('cell', { name: 'main', exact: true })).toBeVisible();
	});

	await test.step('adds a domain and its key', async () => {
		await followChecklist(page, 'Domain');
		await page.getByLabel('Domain', { exact: true }).fill('News.Example');
		await page.keyboard.press('Enter');
		await expect(page.getByRole('heading', { name: 'news.example', level: 1 })).toBeVisible();
		await page.getByRole('button', { name: 'New key' }).click();
		await page.getByRole('button', { name: 'Make the key' }).click();
		await expect(page.getByRole('list', { name: 'DKIM keys' })).toContainText('k1');
		await page.getByRole('button', { name: 'Activate k1' }).click();
		await page.getByRole('button', { name: 'Activate the key' }).click();
		await expect(page.getByRole('list', { name: 'DKIM keys' })).toContainText('signing');
	});

	await test.step('reads the DNS records to publish', async () => {
		const records = page.getByRole('table', { name: 'DNS records' });
		for (const name of ['k1._domainkey.news.example', '_dmarc.news.example', 'bounce.news.example']) {
			await expect(records.getByText(name, { exact: true }).first()).toBeVisible();
		}
		await expect(records).toContainText('v=spf1 ip4:203.0.113.24');
		await expect(records).toContainText('10 mta1.example.net.');
	});

	let password = '';
	await test.step('adds a sender and sees its password once', async () => {
		await followChecklist(page, 'Sender');
		const dialog = page.getByRole('dialog');
		await dialog.getByLabel('Domain', { exact: true }).fill('news.example');
		await dialog.getByLabel('Part before the @').fill('letter');
		await expect(page.getByTestId('address')).toHaveText('letter@news.example');
		await dialog.getByRole('button', { name: 'Add sender' }).click();
		const secret = page.getByRole('region', { name: 'Password of letter@news.example' }).locator('code');
		await expect(secret).toHaveText(/^[A-Za-z0-9_-]{32}$/);
		password = (await secret.textContent()) ?? '';
		await page.reload();
		expect(await page.content()).not.toContain(password);
	});

	await test.step('reviews the changes in words and applies', async () => {
		await followChecklist(page, 'Applied');
		await expect(page.getByRole('heading', { level: 1 })).toContainText('changes to apply');
		await expect(page.getByText('KumoMTA is not installed here.')).toBeVisible();
		await expect(page.getByRole('region', { name: 'What changes' })).toContainText('letter@news.example');
		expect(await page.content()).not.toContain(password);
		await page.getByLabel('Reason').fill('First policy');
		await page.keyboard.press('Enter');
		await expect(page.getByText('Revision 1 is live').first()).toBeVisible({ timeout: 30_000 });
		const steps = page.getByRole('list', { name: 'Steps of the apply' });
		await expect(steps.getByRole('listitem')).toHaveCount(12);
		await expect(steps).toContainText('so it has not judged this policy');
		await expect(page.getByRole('heading', { name: 'Everything is live' })).toBeVisible();
	});

	await test.step('sees revision 1 in the list, and its files on disk', async () => {
		await page.getByRole('link', { name: 'Revisions' }).first().click();
		await page.getByRole('link', { name: /Revision 1/ }).click();
		await expect(page.getByRole('heading', { name: 'Revision 1', level: 1 })).toBeVisible();
		await expect(page.getByText('First policy')).toBeVisible();
		expect(existsSync(join(server.kumomtaRoot, 'etc/policy/init.lua'))).toBe(true);
		expect(existsSync(join(server.kumomtaRoot, 'etc/dkim/news.example/k1.key'))).toBe(true);
	});

	await test.step('finds pages by keyboard', async () => {
		await page.keyboard.press('Control+k');
		// The search is loaded when it is first asked for.
		const search = page.getByRole('dialog').locator('input');
		await expect(search).toBeFocused();
		await page.keyboard.type('audit');
		await expect(page.getByRole('dialog').getByText('Audit', { exact: true })).toBeVisible();
		await page.keyboard.press('Enter');
		await expect(page.getByRole('heading', { name: 'Audit', level: 1 })).toBeVisible();
		await expect(page.getByRole('table')).toContainText('policy.apply');
	});

	expect(complaints).toEqual([]);
	expect(server.output()).not.toContain(password);
});
