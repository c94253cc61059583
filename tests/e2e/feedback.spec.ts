import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { expect, test } from '@playwright/test';
import { startBuiltServer } from '../support/built-server.ts';
import type { BuiltServer } from '../support/built-server.ts';
import { expectAccessible, register, signIn, watchPage } from '../support/panel.ts';

let server: BuiltServer;
let registered: Awaited<ReturnType<typeof register>>;

test.beforeAll(async () => {
	server = await startBuiltServer();
	registered = await register(server);
});
test.afterAll(() => server.remove());

const hostile = '<img src=x onerror="document.title=1">';
const record = (fields: object) =>
	`${JSON.stringify({
		type: 'Bounce',
		id: 'a'.repeat(32),
		sender: 'news@example.com',
		recipient: 'ann@example.org',
		timestamp: Math.floor(Date.now() / 1000) - 60,
		response: { code: 550, enhanced_code: { class: 5, subject: 1, detail: 1 }, content: `no such user ${hostile}` },
		peer_address: { name: 'mx.example.org', addr: '192.0.2.1' },
		bounce_classification: 'InvalidRecipient',
		...fields
	})}\n`;

test('what KumoMTA logs appears by itself, with its evidence, as text', async ({ page }) => {
	test.setTimeout(90_000);
	const directory = join(server.dataDir, 'logs');
	const path = join(directory, '20260105-120000');
	mkdirSync(directory);
	writeFileSync(path, zstdCompressSync(record({}) + record({ recipient: 'eve@example.org', type: 'Expiration' })));
	chmodSync(path, 0o440);
	await registered.client.settings.update.mutate({ logs: { directory, maxSegmentSeconds: 10, retentionDays: 30 } });
	const { complaints } = await watchPage(page);
	await signIn(page, registered.session);
	await expect
		.poll(async () => (await registered.client.feedback.list.query({})).total, { timeout: 40_000, intervals: [1000] })
		.toBe(2);
	await page.goto(`${server.url}/feedback?recipient=ann%40`);
	await expect(page.getByRole('cell', { name: 'eve@example.org' })).toHaveCount(0);
	await page.getByRole('button', { name: 'Details of bounce ann@example.org' }).click();
	const dialog = page.getByRole('dialog');
	await expect(dialog.getByText('There is no such mailbox at this domain.')).toBeVisible();
	await expect(dialog.getByText(hostile)).toBeVisible();
	await expect(dialog.getByText('20260105-120000, line 1')).toBeVisible();
	await expectAccessible(page);
	await expect(page).toHaveTitle(/Feedback/);
	expect(complaints).toEqual([]);
});

test('a pasted bounce is explained, and its text is in no audit row', async ({ page }) => {
	const { complaints } = await watchPage(page);
	await signIn(page, registered.session);
	await page.goto(`${server.url}/feedback`);
	await page.getByRole('link', { name: 'Paste a report' }).first().click();
	await page.getByRole('button', { name: 'Read it' }).click();
	await expect(page.getByRole('dialog').getByText('Paste the report here.')).toBeVisible();
	await page
		.getByLabel('The whole message')
		.fill(`From: MAILER-DAEMON@example.org\n\n<tom@example.org>: 552 5.2.2 mailbox full ${hostile}`);
	await page.getByRole('button', { name: 'Read it' }).click();
	await expect(page.getByText('The mailbox is full. Refused for good.')).toBeVisible();
	await expectAccessible(page);
	const { items } = await registered.client.audit.list.query({ action: 'feedback.parse' });
	expect(items.length).toBeGreaterThan(0);
	expect(JSON.stringify(items)).not.toContain('tom@example.org');
	expect(complaints).toEqual([]);
});
