import { expect, test } from '@playwright/test';
import type { Locator, Page } from '@playwright/test';
import { startBuiltServer } from '../support/built-server.ts';
import type { BuiltServer } from '../support/built-server.ts';
import { expectAccessible, register, signIn, watchPage } from '../support/panel.ts';

/** Domains, senders and imports as an operator works with them, by keyboard. */

let server: BuiltServer;
let registered: Awaited<ReturnType<typeof register>>;

test.beforeAll(async () => {
	server = await startBuiltServer();
	registered = await register(server);
	const { client } = registered;
	await client.settings.update.mutate({ hostname: 'mta1.example.net' });
	const source = await client.sources.create.mutate({ address: '203.0.113.24', ehloDomain: 'out1.example.net' });
	if (!('id' in source)) throw new Error('One source was asked for.');
	const pool = await client.pools.create.mutate({ name: 'main', sources: [{ sourceId: source.id, weight: 1 }] });
	await client.settings.update.mutate({ defaultPoolId: pool.id });
});
test.afterAll(() => server.remove());

/** What a person without a mouse does: go to it and press Enter. */
async function press(target: Locator, key = 'Enter'): Promise<void> {
	await target.focus();
	await target.press(key);
}

/** Opens the panel signed in; the clipboard may be read so that a copy can be checked. */
async function open(page: Page, path: string): Promise<{ complaints: string[] }> {
	await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
	// A message that fades is not judged by its contrast halfway.
	await page.emulateMedia({ reducedMotion: 'reduce' });
	const watched = await watchPage(page);
	await signIn(page, registered.session);
	await page.goto(server.url + path);
	return watched;
}

const heading = (page: Page, name: string) => page.getByRole('heading', { name, level: 1 });

test('a domain, its key, a sender, and the way back, by keyboard', async ({ page }) => {
	test.setTimeout(180_000);
	const { client } = registered;
	const { complaints } = await open(page, '/domains');

	await test.step('the empty list offers the first action', async () => {
		await expect(page.getByText('No domains yet')).toBeVisible();
		await expectAccessible(page);
		await press(page.getByRole('link', { name: 'Add domain' }).first());
	});

	await test.step('an error stands beside its field, and what was typed stays', async () => {
		const name = page.getByLabel('Domain', { exact: true });
		await expect(name).toBeFocused();
		await page.keyboard.type('not a domain');
		await page.keyboard.press('Enter');
		await expect(name).toHaveAttribute('aria-invalid', 'true');
		await expect(name).toHaveValue('not a domain');
		await expect(name).toBeFocused();
		await expectAccessible(page);
		await name.fill('News.Example');
		await page.keyboard.press('Enter');
		await expect(heading(page, 'news.example')).toBeVisible();
		await expect(page).toHaveTitle('news.example · KumoMTA UI');
		await expect(page.getByText('No active DKIM key. Generate or import one.')).toBeVisible();
	});

	const keys = page.getByRole('list', { name: 'DKIM keys' });
	await test.step('generates a key and activates it', async () => {
		await press(page.getByRole('button', { name: 'New key' }));
		await page.getByLabel('Algorithm').selectOption('ed25519');
		await press(page.getByLabel('Selector'));
		await expect(keys).toContainText('pending');
		expect((await client.domains.list.query({})).items[0]?.readiness.ready).toBe(false);
		await press(page.getByRole('button', { name: 'Activate k1' }));
		await expect(page.getByRole('dialog')).toContainText('DNS is not asked before');
		await expectAccessible(page);
		await press(page.getByRole('button', { name: 'Activate the key' }));
		await expect(keys).toContainText('signing');
		await expect(page.getByText('Ready: its mail is signed.')).toBeVisible();
	});

	await test.step('copies a record whole, though it is shown cut', async () => {
		const { items } = await client.domains.list.query({});
		const { records, zoneFile } = await client.domains.dns.query({ id: items[0]?.id ?? '' });
		const key = records.find(({ name }) => name === 'k1._domainkey.news.example');
		await press(page.getByRole('button', { name: 'Copy value of k1._domainkey.news.example' }));
		await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(key?.value);
		await press(page.getByRole('button', { name: 'Copy name of k1._domainkey.news.example' }));
		await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(key?.name);
		await press(page.getByRole('button', { name: 'Zone file' }));
		const download = page.waitForEvent('download');
		await press(page.getByRole('button', { name: 'Download' }));
		expect((await download).suggestedFilename()).toBe('news.example.zone');
		const chunks: Buffer[] = [];
		for await (const chunk of await (await download).createReadStream()) chunks.push(chunk as Buffer);
		expect(Buffer.concat(chunks).toString()).toBe(zoneFile);
		await page.keyboard.press('Escape');
	});

	await test.step('saves a DMARC policy, and its record follows', async () => {
		await page.getByLabel('Policy (p)').selectOption('reject');
		await expect(page.getByText('Mail that fails is refused.')).toBeVisible();
		const reports = page.getByLabel('Aggregate reports to (rua)');
		await reports.fill('nobody');
		await reports.press('Enter');
		await expect(page.getByText('Write e-mail addresses, separated by commas.')).toBeVisible();
		await expect(reports).toBeFocused();
		await reports.fill('dmarc@news.example');
		await reports.press('Enter');
		const records = page.getByRole('table', { name: 'DNS records' });
		await expect(records).toContainText('v=DMARC1; p=reject; rua=mailto:dmarc@news.example');
		await expectAccessible(page);
	});

	let password = '';
	await test.step('adds a sender and sees its password once', async () => {
		await press(page.getByRole('link', { name: 'Add sender' }));
		const dialog = page.getByRole('dialog');
		await expect(dialog.getByLabel('Domain', { exact: true })).toHaveValue('news.example');
		await dialog.getByLabel('Part before the @').fill('Letter');
		await expect(page.getByTestId('address')).toHaveText('letter@news.example');
		await dialog.getByLabel('Limit', { exact: true }).fill('5000');
		await expectAccessible(page);
		await dialog.getByLabel('Part before the @').press('Enter');
		const secret = page.getByRole('region', { name: 'Password of letter@news.example' }).locator('code');
		await expect(secret).toHaveText(/^[A-Za-z0-9_-]{32}$/);
		password = (await secret.textContent()) ?? '';
		await expect(dialog).toContainText('mta1.example.net');
		await expect(dialog).toContainText('587');
		await page.keyboard.press('Escape');
		await expect(page.getByText('The password is shown only here.')).toBeVisible();
		await expect(secret).toHaveText(password);
		await expectAccessible(page);
		await press(page.getByRole('button', { name: 'I have copied it' }));
		await expect(heading(page, 'letter@news.example')).toBeVisible();
		await expect(page.getByText('Made by the panel')).toBeVisible();
		expect(await page.content()).not.toContain(password);
		await page.reload();
		await expect(heading(page, 'letter@news.example')).toBeVisible();
		expect(await page.content()).not.toContain(password);
		await expectAccessible(page);
	});

	await test.step('refuses a second sender with that address beside the field', async () => {
		await page.goto(`${server.url}/senders?new`);
		const dialog = page.getByRole('dialog');
		await dialog.getByLabel('Part before the @').fill('letter');
		const domain = dialog.getByLabel('Domain', { exact: true });
		await domain.fill('nobody.example');
		await page.keyboard.press('Enter');
		await expect(dialog.getByText('No domain is called that. Choose one')).toBeVisible();
		await expect(domain).toBeFocused();
		await domain.fill('news.example');
		await page.keyboard.press('Enter');
		await expect(dialog.getByLabel('Part before the @')).toHaveAttribute('aria-invalid', 'true');
		await expect(dialog.getByText('There is already a sender with this address.')).toBeVisible();
		await page.keyboard.press('Escape');
		await expect(dialog).toBeHidden();
	});

	await test.step('pauses the sender and sets another password', async () => {
		await press(page.getByRole('link', { name: 'letter@news.example' }));
		await press(page.getByRole('button', { name: 'Pause', exact: true }));
		await press(page.getByRole('button', { name: 'Pause the sender' }));
		await expect(page.getByText('Paused: from the next apply on')).toBeVisible();
		expect((await client.senders.list.query({})).items[0]).toMatchObject({
			status: 'paused',
			limits: { perHour: 5000 }
		});
		const way = page.getByRole('form', { name: 'Password' }).getByLabel('Password', { exact: true });
		await way.selectOption('choose');
		await page.getByLabel('Chosen password').fill('too short');
		await page.keyboard.press('Enter');
		await expect(page.getByText('At least 16 characters; 9 so far.')).toBeVisible();
		await page.getByLabel('Chosen password').fill('canary of a chosen password');
		await page.keyboard.press('Enter');
		await press(page.getByRole('button', { name: 'Replace the password' }));
		await expect(page.getByText('Chosen', { exact: false }).first()).toBeVisible();
		await expect.poll(async () => (await client.senders.list.query({})).items[0]?.credential.generated).toBe(false);
		await page.reload();
		await expect(heading(page, 'letter@news.example')).toBeVisible();
		expect(await page.content()).not.toContain('canary of a chosen');
	});

	await test.step('removes the domain only after its name was typed', async () => {
		await press(page.getByRole('link', { name: 'news.example', exact: true }));
		await expect(heading(page, 'news.example')).toBeVisible();
		await press(page.getByRole('button', { name: 'Remove the domain' }));
		const dialog = page.getByRole('dialog');
		await expect(dialog).toContainText('1 sender can no longer sign in or send.');
		await expect(dialog).toContainText('1 DKIM key is gone for good.');
		await expectAccessible(page);
		const typed = dialog.getByLabel('Type news.example to confirm');
		await typed.fill('news.exampl');
		await typed.press('Enter');
		await expect(dialog.getByRole('button', { name: 'Remove the domain' })).toBeDisabled();
		expect((await client.domains.list.query({})).total).toBe(1);
		await typed.fill('news.example');
		await typed.press('Enter');
		await expect(page.getByText('No domains yet')).toBeVisible();
		expect((await client.domains.list.query({})).total).toBe(0);
		expect((await client.senders.list.query({})).total).toBe(0);
	});

	expect(complaints).toEqual([]);
	for (const secret of [password, 'canary of a chosen']) expect(server.output()).not.toContain(secret);
});

test('an import is shown before it happens, refused as a whole, and done as a whole', async ({ page }) => {
	test.setTimeout(120_000);
	const { client } = registered;
	const { complaints } = await open(page, '/imports');
	const upload = async (text: string) => {
		await page.getByLabel('Or paste it').fill(text);
		await press(page.getByRole('button', { name: 'Upload and preview' }));
		await expect(heading(page, 'Preview of the import')).toBeVisible();
	};

	await press(page.getByRole('button', { name: 'Upload and preview' }));
	await expect(page.getByText('Choose a file, or paste its text below.')).toBeVisible();
	await expectAccessible(page);

	await upload('domain,sender,limit\nshop.example,orders,10/hour\nshop.example,orders,\nbad domain,x,\n');
	await expect(page.getByText('2 lines of 3 cannot be imported. Nothing has changed.')).toBeVisible();
	await expect(page.getByText('Line 2 names this sender already.')).toBeVisible();
	await expect(page.getByRole('button', { name: 'Import all of it' })).toBeHidden();
	await press(page.getByRole('link', { name: /With errors/ }));
	await expect(page.getByRole('row')).toHaveCount(3);
	await expectAccessible(page);
	expect((await client.domains.list.query({ search: 'shop.example' })).total).toBe(0);
	await press(page.getByRole('button', { name: 'Discard' }));
	await press(page.getByRole('button', { name: 'Discard it' }));
	await expect(heading(page, 'Import')).toBeVisible();

	// More than one part of 256 KB, from a file with the mark that spreadsheets put in front.
	const lines = Array.from({ length: 9000 }, (_, index) => `shop.example,customer-${index}@shop.example,1000/hour,no`);
	await page.getByLabel('CSV file').setInputFiles({
		name: 'senders.csv',
		mimeType: 'text/csv',
		buffer: Buffer.from(`\uFEFFdomain,sender,limit,dkim\r\n${lines.join('\r\n')}\r\nmail.example,news,,yes\r\n`)
	});
	await press(page.getByRole('button', { name: 'Upload and preview' }));
	await expect(page.getByText('This is what would happen. Nothing has changed yet.')).toBeVisible({ timeout: 30_000 });
	await expect(page.getByRole('term').filter({ hasText: 'Senders added' }).locator('..')).toContainText('9,001');
	await press(page.getByRole('button', { name: 'Import all of it' }));
	await expect(page.getByRole('dialog')).toContainText('2 domains added');
	await press(page.getByRole('button', { name: 'Import', exact: true }));
	await expect(heading(page, 'Import done')).toBeVisible({ timeout: 30_000 });
	await expect(page.getByText('1 key made. It signs from the next apply on.')).toBeVisible({ timeout: 60_000 });
	await expectAccessible(page);
	expect((await client.senders.list.query({})).total).toBe(9001);
	expect((await client.domains.list.query({ search: 'mail.example' })).items[0]).toMatchObject({ activeKeys: 1 });

	await page.goto(`${server.url}/senders`);
	await page.getByLabel('Domain', { exact: true }).fill('mail.example');
	await expect(page.getByText('1 row')).toBeVisible();
	await expect(page.getByRole('link', { name: 'news@mail.example' })).toBeVisible();
	await expectAccessible(page);
	await press(page.getByRole('button', { name: 'Show all domains' }));
	await expect(page.getByText('50 of 9,001')).toBeVisible();
	await press(page.getByRole('link', { name: 'Next' }).or(page.getByRole('button', { name: 'Next' })));
	await expect(page).toHaveURL(/cursor=/);

	expect(complaints).toEqual([]);
});

test('pages on a phone, in the dark', async ({ browser }) => {
	test.setTimeout(120_000);
	const { client } = registered;
	const domain = await client.domains.create.mutate({ name: 'bücher.example' });
	await client.dkim.generate.mutate({ domainId: domain.id, algorithm: 'rsa-2048' });
	const [pool] = (await client.pools.list.query({})).items;
	const sender = await client.senders.create.mutate({
		domainId: domain.id,
		localPart: 'letter',
		poolId: pool?.id ?? '',
		password: null
	});
	const context = await browser.newContext({
		viewport: { width: 390, height: 844 },
		colorScheme: 'dark',
		reducedMotion: 'reduce'
	});
	const page = await context.newPage();
	const { complaints } = await watchPage(page);
	await signIn(page, registered.session);
	const paths = [
		'/domains',
		'/domains?new',
		`/domains/${domain.id}`,
		'/senders',
		`/senders?new&domain=${domain.id}`,
		`/senders/${sender.id}`,
		'/imports',
		'/domains/aaaaaaaaaaaaaaaa'
	];
	for (const path of paths) {
		await page.goto(server.url + path);
		await page.waitForLoadState('networkidle');
		await expectAccessible(page);
	}
	await expect(heading(page, 'There is no such page')).toBeVisible();

	await page.goto(`${server.url}/senders?new`);
	await page.getByRole('dialog').getByLabel('Domain', { exact: true }).fill('Bücher.example');
	await expect(page.getByText('Type a part of its name.')).toBeVisible();
	await expect(page.getByTestId('address')).toHaveText('name@bücher.example');
	expect(complaints).toEqual([]);
	await context.close();
});
