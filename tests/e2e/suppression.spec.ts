import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { expect, test } from '@playwright/test';
import { startBuiltServer } from '../support/built-server.ts';
import type { BuiltServer } from '../support/built-server.ts';
import { expectAccessible, register, shoot, signIn, watchPage } from '../support/panel.ts';
import { addDefaultPool, addSender } from '../support/small-estate.ts';
import { readRows } from '../support/suppression-reader.ts';

let server: BuiltServer;
let registered: Awaited<ReturnType<typeof register>>;

test.beforeAll(async () => {
	server = await startBuiltServer();
	registered = await register(server);
	const { client } = registered;
	await addSender(client, (await addDefaultPool(client)).id);
});
test.afterAll(() => server.remove());

/** A bounce as KumoMTA logs it, in a segment that the panel finds. */
async function logBounce(): Promise<void> {
	const directory = join(server.dataDir, 'logs');
	mkdirSync(directory, { recursive: true });
	await registered.client.settings.update.mutate({ logs: { directory, maxSegmentSeconds: 10, retentionDays: 30 } });
	const content = 'The email account that you tried to reach does not exist. Please try double-checking the address.';
	const bounce = {
		type: 'Bounce',
		id: 'd7ef132b5d7711eea8c8000c29c33806',
		sender: 'news@example.com',
		recipient: ['gone@example.org'],
		timestamp: Math.floor(Date.now() / 1000) - 60,
		response: { code: 550, enhanced_code: { class: 5, subject: 1, detail: 1 }, content },
		peer_address: { name: 'mx.example.org', addr: '192.0.2.1' },
		bounce_classification: 'InvalidRecipient',
		meta: { tenant: 'news.example.com' }
	};
	writeFileSync(join(directory, '1'), zstdCompressSync(`${JSON.stringify(bounce)}\n`));
}

test('addresses come by bounces, by hand and by import, are found, leave, and reach KumoMTA’s files', async ({
	page
}) => {
	test.setTimeout(120_000);
	const { complaints } = await watchPage(page);
	await signIn(page, registered.session);
	await page.goto(`${server.url}/suppression`);
	await expect(page.getByText('Nobody is suppressed')).toBeVisible();
	await expectAccessible(page);
	await shoot(page, 'suppression-empty');
	await logBounce();

	await page.getByRole('link', { name: 'Add address' }).click();
	await page.getByLabel('Address', { exact: true }).fill('no address');
	await page.getByRole('button', { name: 'Add address' }).click();
	await expect(page.getByText('This is not an e-mail address.')).toBeVisible();
	await page.getByLabel('Address', { exact: true }).fill('Ann@EXAMPLE.org');
	await page.getByLabel('Note').fill('Asked by telephone');
	await expectAccessible(page);
	await shoot(page, 'suppression-add');
	await page.getByRole('button', { name: 'Add address' }).click();
	await expect(page.getByRole('link', { name: 'ann@example.org' })).toBeVisible();

	await page.getByRole('link', { name: 'Import', exact: true }).last().click();
	await page.getByLabel('List of the domain').fill('example.com');
	await page
		.getByLabel('Or paste it')
		.fill('email,name\nbob@example.net,Bob\nnobody,Nobody\n"carol@example.net","Carol, C"\nä@example.net,\n');
	await expect(page.getByText('3 addresses will be added')).toBeVisible();
	await expect(page.getByRole('cell', { name: 'nobody' })).toBeVisible();
	await expectAccessible(page);
	await shoot(page, 'suppression-import');
	await page.getByRole('button', { name: 'Import 3 addresses' }).click();
	await expect(page.getByText('2 addresses were added')).toBeVisible();
	await expect(page.getByRole('cell', { name: 'ä@example.net' })).toBeVisible();
	await page.getByRole('button', { name: 'Close' }).last().click();

	await expect(async () => {
		await page.reload();
		await expect(page.getByRole('link', { name: 'gone@example.org' })).toBeVisible({ timeout: 2000 });
	}).toPass({ timeout: 60_000 });
	// As the first apply makes it.
	mkdirSync(join(server.kumomtaRoot, 'etc/policy'), { recursive: true });
	await expect(page.getByText('in effect', { exact: true })).toBeVisible({ timeout: 60_000 });
	await expectAccessible(page);
	await shoot(page, 'suppression');

	await page.getByRole('link', { name: 'gone@example.org' }).click();
	await expect(page.getByText('does not exist. Please try')).toBeVisible();
	await expect(page.getByText('the panel, from KumoMTA’s log')).toBeVisible();
	await expectAccessible(page);
	await shoot(page, 'suppression-entry');
	await page.getByRole('button', { name: 'Close' }).last().click();

	await page.getByLabel('Reason').selectOption('import');
	await expect(page.getByRole('link', { name: 'ann@example.org' })).toBeHidden();
	await expect(page.getByRole('link', { name: 'bob@example.net' })).toBeVisible();
	await page.getByLabel('Reason').selectOption('');
	await page.getByPlaceholder('ann@ or @example.com').fill('@example.net');
	await expect(page.getByRole('link', { name: 'ann@example.org' })).toBeHidden();
	const download = page.waitForEvent('download');
	await page.getByRole('button', { name: 'Export' }).click();
	expect((await download).suggestedFilename()).toBe('suppression-all.csv');

	await page.getByRole('link', { name: 'bob@example.net' }).click();
	await page.getByRole('button', { name: 'Remove from the list' }).click();
	await expect(page.getByText('Remove bob@example.net from example.com?')).toBeVisible();
	await expectAccessible(page);
	await page.getByRole('button', { name: 'Remove the address' }).click();
	await expect(page.getByRole('link', { name: 'bob@example.net' })).toBeHidden();

	await page.getByLabel('At failure number').first().fill('2');
	await page.getByRole('button', { name: 'Save the rules' }).click();
	await expect(page.getByText('Saved; it holds for what happens from now on')).toBeVisible();
	expect((await registered.client.suppression.rules.get.query()).hard.count).toBe(2);

	const base = join(server.kumomtaRoot, 'etc/policy/suppression/base.sqlite');
	expect(readRows(base).size).toBeGreaterThan(0);
	expect(complaints).toEqual([]);
});
