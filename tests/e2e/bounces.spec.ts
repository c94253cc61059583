import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import type { Page } from '@playwright/test';
import { startBuiltServer } from '../support/built-server.ts';
import type { BuiltServer } from '../support/built-server.ts';
import { deliver, makeMaildir, messagesIn } from '../support/maildir.ts';
import { expectAccessible, register, signIn, watchPage } from '../support/panel.ts';

let server: BuiltServer;
let registered: Awaited<ReturnType<typeof register>>;
let domainId: string;

test.beforeAll(async () => {
	// Where nobody listens.
	server = await startBuiltServer({ IMAP_PORT: '1', POP3_PORT: '995' });
	registered = await register(server);
	const { client } = registered;
	await client.settings.update.mutate({ hostname: 'mta1.example.net' });
	({ id: domainId } = await client.domains.create.mutate({ name: 'example.com' }));
});
test.afterAll(() => server.remove());

const address = 'returns@bounce.example.com';
const open = async (page: Page, path: string) => {
	await signIn(page, registered.session);
	await page.goto(server.url + path);
};
const maildirOf = (id: string) => join(server.kumomtaRoot, 'mail', id);

/** The job looks at the start of the server. */
async function count(): Promise<void> {
	await server.stop();
	await server.restart();
}

test('an account is added by a newcomer, whose password is shown once and survives Escape', async ({ page }) => {
	const { complaints } = await watchPage(page);
	await open(page, '/');
	await page.getByRole('link', { name: 'Bounce accounts' }).click();
	await expect(page.getByText('No bounce accounts here yet')).toBeVisible();
	await expectAccessible(page);
	await page.getByRole('link', { name: 'Add bounce account' }).first().click();
	const dialog = page.getByRole('dialog');
	await dialog.getByRole('button', { name: 'Add bounce account' }).click();
	await expect(dialog.getByText('Choose a domain.')).toBeVisible();
	await dialog.getByLabel('Domain').fill('example.com');
	await dialog.getByLabel('Part before the @').fill('Returns');
	await expect(dialog.getByTestId('address')).toHaveText(address);
	await expectAccessible(page);
	await dialog.getByLabel('Part before the @').press('Enter');
	const secret = dialog.getByRole('region', { name: `Password of ${address}` });
	await expect(secret).toBeVisible();
	await expect(dialog.getByText('mta1.example.net')).toBeVisible();
	await expect(dialog.getByText('995')).toBeVisible();
	await page.keyboard.press('Escape');
	await expect(dialog.getByText('The password is shown only here.')).toBeVisible();
	await expectAccessible(page);
	const password = await secret.locator('code').innerText();
	await dialog.getByRole('button', { name: 'I have copied it' }).click();
	await expect(page.getByRole('heading', { level: 1, name: address })).toBeVisible();
	await expect(page.getByText('not live yet', { exact: true })).toBeVisible();
	expect(await page.content()).not.toContain(password);
	expect(complaints).toEqual([]);
});

test('the connection is tried in stages, and the password that was typed is kept nowhere', async ({ page }) => {
	const { complaints } = await watchPage(page);
	const { id } = await registered.client.bounces.create.mutate({ domainId, localPart: 'tried' });
	await open(page, `/bounces/${id}`);
	await page.getByLabel('Password to try').fill('canary of the connection');
	await page.getByRole('button', { name: 'Try it' }).click();
	const stages = page.getByTestId('stages');
	for (const title of ['Connection', 'Encryption', 'Greeting', 'Sign-in', 'Inbox'])
		await expect(stages.getByText(title, { exact: true })).toBeVisible();
	await expect(stages).toContainText('Nothing listens on port 1: Dovecot is not running');
	await expectAccessible(page);
	await expect(page.getByLabel('Password to try')).toHaveValue('');
	const seen = [await page.content(), server.output(), await registered.client.audit.list.query({ limit: 200 })];
	expect(JSON.stringify(seen)).not.toContain('canary');
	expect(complaints).toEqual([]);
});

test('mail is counted, and removed only as counted', async ({ page }) => {
	const { complaints } = await watchPage(page);
	const { id } = await registered.client.bounces.create.mutate({ domainId, localPart: 'counted' });
	const maildir = makeMaildir(maildirOf(id));
	for (let minutes = 0; minutes < 40; minutes += 1)
		deliver(maildir, { at: Date.now() - minutes * 60_000, bytes: 1024 });
	await count();
	await open(page, '/bounces');
	const row = page.getByRole('row').filter({ hasText: 'counted@' });
	await expect(row).toContainText('40 KiB of 1 GiB');
	await row.getByRole('link').click();
	await page.getByRole('button', { name: 'Empty it' }).click();
	const dialog = page.getByRole('dialog');
	await expect(dialog).toContainText('40 messages (40 KiB)');
	await expectAccessible(page);
	for (let more = 0; more < 30; more += 1) deliver(maildir, { at: Date.now() - 60_000, bytes: 1024 });
	await dialog.getByRole('button', { name: 'Remove 40 messages' }).click();
	await expect(dialog.getByRole('alert')).toContainText('70 messages by now, not 40');
	expect(messagesIn(maildir)).toHaveLength(70);
	await dialog.getByRole('button', { name: 'Remove 70 messages' }).click();
	await expect(page.getByText('70 messages removed')).toBeVisible();
	expect(messagesIn(maildir)).toEqual([]);
	expect(complaints).toEqual([]);
});

test('limits are saved, a password is replaced, the account is disabled and removed with its mail', async ({
	page
}) => {
	const { complaints } = await watchPage(page);
	const { client } = registered;
	const account = await client.bounces.create.mutate({
		domainId,
		localPart: 'full',
		password: null,
		notes: 'MailWizz'
	});
	const maildir = makeMaildir(maildirOf(account.id));
	for (let minutes = 0; minutes < 1000; minutes += 1) deliver(maildir, { at: Date.now() - minutes * 1000 });
	await count();
	await open(page, `/domains/${domainId}`);
	await page.getByRole('link', { name: account.displayName }).click();
	await page.getByLabel('Keeps mail for (days)').fill('0');
	await page.getByRole('button', { name: 'Save' }).click();
	await expect(page.getByText('At least 1 day.')).toBeVisible();
	await page.getByLabel('Keeps mail for (days)').fill('7');
	await page.getByLabel('May hold').fill('500');
	await page.getByLabel('Unit of the size').selectOption('MiB');
	await page.getByRole('button', { name: 'Save' }).click();
	await expect(page.getByText('Bounce account saved')).toBeVisible();
	expect(await client.bounces.get.query({ id: account.id })).toMatchObject({
		retentionDays: 7,
		quotaBytes: 524_288_000
	});

	await page.getByRole('button', { name: 'Set a new password' }).click();
	await expect(page.getByRole('region', { name: `Password of ${account.displayName}` })).toBeVisible();
	await page.getByRole('button', { name: 'I have copied it' }).click();
	await page.getByRole('button', { name: 'Disable' }).click();
	await page.getByRole('button', { name: 'Disable the account' }).click();
	await expect(page.getByText('disabled', { exact: true })).toBeVisible();

	await page.getByRole('button', { name: 'Remove the account' }).click();
	const dialog = page.getByRole('dialog');
	await expect(dialog).toContainText('1,000 messages (98 KiB) go with it');
	await expectAccessible(page);
	await dialog.getByLabel('Remove its mail at once').check();
	await dialog.getByRole('textbox').fill(account.displayName);
	await dialog.getByRole('button', { name: 'Remove the account' }).click();
	await expect(page.getByText(`${account.displayName} removed.`)).toBeVisible();
	await expect(page).toHaveURL(/\/bounces$/);
	expect(complaints).toEqual([]);
	await count();
	await expect.poll(() => messagesIn(maildir)).toEqual([]);
	await expect
		.poll(async () => (await client.audit.list.query({ action: 'bounces.removeMailbox' })).items)
		.toMatchObject([{ actor: 'job:bounces.housekeeping', target: account.id }]);
});

test('pages without barriers on a phone in the dark', async ({ browser }) => {
	const context = await browser.newContext({
		viewport: { width: 390, height: 844 },
		colorScheme: 'dark',
		reducedMotion: 'reduce'
	});
	const page = await context.newPage();
	const { complaints } = await watchPage(page);
	const { id } = await registered.client.bounces.create.mutate({ domainId, localPart: 'phone' });
	await signIn(page, registered.session);
	for (const path of ['/bounces', `/bounces?new&domain=${domainId}`, `/bounces/${id}`, `/domains/${domainId}`]) {
		await page.goto(server.url + path);
		await page.waitForLoadState('networkidle');
		await expectAccessible(page);
	}
	expect(complaints).toEqual([]);
	await context.close();
});
