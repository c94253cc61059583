import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import type { Browser, Page } from '@playwright/test';
import { startBuiltServer } from '../support/built-server.ts';
import type { BuiltServer } from '../support/built-server.ts';
import { expectAccessible, register, signIn, watchPage } from '../support/panel.ts';

/** A policy of somebody else is explained and taken over; then files are changed by hand, compared and overwritten. */

const theirs = `local kumo = require 'kumo'
kumo.on('init', function()
  kumo.start_esmtp_listener { listen = '0.0.0.0:25', hostname = 'mta1.example.net' }
  kumo.start_esmtp_listener { listen = '0.0.0.0:2525' }
  kumo.define_spool { name = 'data', path = '/srv/spool/data' }
end)
local passwords = {
  ['scott'] = 'tiger-4711',
}
`;

let server: BuiltServer;
let registered: Awaited<ReturnType<typeof register>>;
const policy = () => join(server.kumomtaRoot, 'etc/policy');
const liveDirectory = () =>
	join(policy(), 'revisions', /revision (\S+)/.exec(readFileSync(join(policy(), 'init.lua'), 'utf8'))?.[1] ?? '');

test.beforeAll(async () => {
	server = await startBuiltServer();
	registered = await register(server);
	const { client } = registered;
	const source = await client.sources.create.mutate({ address: '203.0.113.24', ehloDomain: 'out1.example.net' });
	if (!('id' in source)) throw new Error('One source was asked for.');
	const pool = await client.pools.create.mutate({ name: 'main', sources: [{ sourceId: source.id, weight: 1 }] });
	await client.settings.update.mutate({ hostname: 'mta1.example.net', defaultPoolId: pool.id });
	await client.domains.create.mutate({ name: 'news.example' });
	mkdirSync(policy(), { recursive: true });
	writeFileSync(join(policy(), 'init.lua'), theirs);
});
test.afterAll(() => server.remove());

async function openPage(browser: Browser, width: number, height: number, theme: 'light' | 'dark') {
	const context = await browser.newContext({
		viewport: { width, height },
		colorScheme: theme,
		reducedMotion: 'reduce'
	});
	const page = await context.newPage();
	const { complaints } = await watchPage(page);
	await signIn(page, registered.session);
	return { page, complaints };
}

async function visit(page: Page, path: string): Promise<void> {
	await page.goto(server.url + path);
	await page.getByRole('heading', { level: 1 }).waitFor();
	await page.waitForLoadState('networkidle');
}

test('from a foreign policy to drift that is overwritten', async ({ browser }) => {
	const { page, complaints } = await openPage(browser, 1440, 900, 'light');
	const title = page.getByRole('heading', { level: 1 });

	await test.step('their policy stands beside ours, its secrets hidden', async () => {
		await visit(page, '/policy/review');
		const card = page.getByRole('region', { name: 'Their policy beside ours' });
		await expect(card).toContainText('Theirs listens on 0.0.0.0:25. Ours too');
		await expect(card).toContainText('Theirs listens on 0.0.0.0:2525. Ours doesn’t');
		await expect(card).toContainText('/srv/spool/data');
		await expect(page.locator('main')).not.toContainText('tiger-4711');
		await card.getByRole('button', { name: 'line 4' }).click();
		await expectAccessible(page);
	});

	await test.step('a problem leads to its very field', async () => {
		const problems = page.getByRole('region', { name: 'Problems' });
		await problems.getByRole('listitem').filter({ hasText: 'No certificate' }).getByRole('link').click();
		await expect(page).toHaveURL(/\/settings#field=tls$/);
		await expect(page.locator('[name="tls"]')).toBeFocused();
		await page.goBack();
	});

	await test.step('it is taken over', async () => {
		await page.getByLabel(/^Replace the live policy/).check();
		await page.getByRole('button', { name: /^Apply/ }).click();
		await expect(title).toHaveText('Everything is live', { timeout: 30_000 });
	});

	await test.step('files changed by hand are shown with their difference', async () => {
		const node = join(liveDirectory(), 'node.toml');
		writeFileSync(
			node,
			readFileSync(node, 'utf8').replace('hostname = "mta1.example.net"', 'hostname = "evil.example"')
		);
		chmodSync(join(liveDirectory(), 'program.lua'), 0o666);
		await visit(page, '/policy/review');
		await expect(title).toHaveText('Files were changed by hand');
		const drift = page.getByRole('region', { name: 'Changed by hand' });
		await drift.getByText(/node\.toml$/).click();
		const lines = drift.getByRole('region', { name: /node\.toml$/ });
		await expect(lines).toContainText('removed: hostname = "mta1.example.net"');
		await expect(lines).toContainText('added: hostname = "evil.example"');
		await expect(drift).toContainText('Overwriting makes a new revision');
		await drift.getByText(/program\.lua$/).click();
		await expect(drift).toContainText('mode 0640');
		await expectAccessible(page);
	});

	await test.step('and overwritten when told to', async () => {
		await expect(page.getByRole('button', { name: /^Apply/ })).toBeDisabled();
		await page.getByLabel('Write over the files that were changed by hand.').check();
		await page.getByRole('button', { name: /^Apply/ }).click();
		await expect(title).toHaveText('Everything is live', { timeout: 30_000 });
	});

	await test.step('two rows are picked by the space bar and compared', async () => {
		await visit(page, '/policy/revisions');
		await page.getByRole('link', { name: 'Revision 2', exact: false }).first().focus();
		await page.keyboard.press('Space');
		await expect(page.getByRole('status').filter({ hasText: 'revision 2 is picked' })).toBeAttached();
		await page.keyboard.press('ArrowDown');
		await page.keyboard.press('Space');
		await expect(page.getByRole('checkbox', { name: 'Pick revision 1 to compare' })).toBeChecked();
		await expectAccessible(page);
		await page.getByRole('link', { name: 'Compare 1 with 2' }).press('Enter');
		await expect(title).toHaveText('Revision 1 to revision 2');
	});

	await test.step('the policy from before is compared by its files, pending on the left', async () => {
		await page.getByRole('combobox', { name: 'From', exact: true }).selectOption('What is pending');
		await page.getByRole('combobox', { name: 'To', exact: true }).selectOption('Before this panel');
		await expect(title).toHaveText('What is pending to the policy before this panel');
		await expect(page.getByText('Compared by files only')).toBeVisible();
		await page.getByText('init.lua', { exact: true }).click();
		await expect(page.getByRole('region', { name: 'Difference of init.lua' })).toContainText('start_esmtp_listener');
		await expect(page.locator('main')).not.toContainText('tiger-4711');
		await expectAccessible(page);
	});

	await test.step('a restore says what changes before it is confirmed', async () => {
		await registered.client.settings.update.mutate({ hostname: 'mta2.example.net' });
		const { hash } = await registered.client.policy.preview.query();
		await registered.client.policy.apply.mutate({ expectedHash: hash });
		await visit(page, '/policy/revisions/2');
		await page.getByRole('button', { name: 'Restore' }).click();
		const dialog = page.getByRole('dialog');
		await expect(dialog).toContainText('1 changed');
		await expect(dialog).toContainText('mta1.example.net');
		await expect(dialog).toContainText('KumoMTA is restarted');
		await expectAccessible(page);
	});

	expect(complaints).toEqual([]);
	await page.context().close();
});
