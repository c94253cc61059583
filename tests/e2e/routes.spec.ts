import { expect, test } from '@playwright/test';
import { startBuiltServer } from '../support/built-server.ts';
import type { BuiltServer } from '../support/built-server.ts';
import { expectAccessible, register, signIn, watchPage } from '../support/panel.ts';
import { addDefaultPool, addPool, addSender } from '../support/small-estate.ts';

let server: BuiltServer;
let registered: Awaited<ReturnType<typeof register>>;
/** Moves the only sender to another pool. */
let moveTo: (pool: 'main' | 'warm') => Promise<unknown>;

test.beforeAll(async () => {
	server = await startBuiltServer();
	registered = await register(server);
	const { client } = registered;
	const main = await addDefaultPool(client);
	const warm = await addPool(client, 'warm', { address: '203.0.113.25', ehloDomain: 'warm.example.net' });
	const pools = { main: main.id, warm: warm.id };
	const senderId = await addSender(client, main.id);
	moveTo = (pool) => client.senders.update.mutate({ id: senderId, poolId: pools[pool] });
});
test.afterAll(() => server.remove());

const name = 'news leaves by main';

test('a simulated message is kept, stops an apply that changes its way, and is overridden by its name', async ({
	page
}) => {
	const { complaints } = await watchPage(page);
	await signIn(page, registered.session);
	await page.goto(`${server.url}/policy/routes`);
	await expect(page.getByText('No golden routes yet')).toBeVisible();
	await expectAccessible(page);

	await page.goto(`${server.url}/policy/simulate`);
	await page.getByRole('button', { name: 'Simulate' }).click();
	await page.getByRole('button', { name: 'Keep as golden route' }).click();
	await page.getByLabel('Name').fill(name);
	await expectAccessible(page);
	await page.getByLabel('Name').press('Enter');
	await expect(page.getByText(`Golden route “${name}” kept`)).toBeVisible();

	await page.goto(`${server.url}/policy/routes`);
	await page.getByRole('button', { name: 'Check now' }).click();
	await expect(page.getByText('kept', { exact: true })).toBeVisible();
	await moveTo('warm');
	await page.getByRole('button', { name: 'Check now' }).click();
	await expect(page.getByText('leaves by pool warm instead of main')).toBeVisible();
	await expectAccessible(page);

	await page.goto(`${server.url}/policy/review`);
	await page.getByRole('button', { name: 'Apply', exact: false }).last().click();
	const notice = page.getByRole('alert').filter({ hasText: 'A golden route is broken' });
	await expect(notice).toContainText(`${name} leaves by pool warm instead of main`);
	expect(await registered.client.policy.status.query()).toMatchObject({ liveRevision: null });
	await expectAccessible(page);

	await page.getByLabel('Type its name to override it').fill(name);
	await page.getByRole('button', { name: 'Apply', exact: false }).last().click();
	await expect(page.getByRole('heading', { name: 'Everything is live' })).toBeVisible();
	await expect(page.getByText(`Overridden: “${name}” leaves by pool warm instead of main, `)).toBeVisible();
	const { items } = await registered.client.audit.list.query({});
	expect(JSON.stringify(items.find(({ action }) => action === 'policy.apply')?.input)).toContain(name);
	expect(complaints).toEqual([]);
});

test('a route is edited on its page: let go of, filled in from now, and checked on a revision', async ({ page }) => {
	const { complaints } = await watchPage(page);
	await signIn(page, registered.session);
	await page.goto(`${server.url}/policy/routes`);
	const { liveRevision } = await registered.client.policy.status.query();
	await page.getByLabel('Checked on').selectOption(String(liveRevision));
	await page.getByRole('button', { name: 'Check now' }).click();
	await expect(page.getByText('leaves by pool warm instead of main')).toBeVisible();
	await expect(page.getByRole('columnheader', { name: `On revision ${liveRevision}` })).toBeVisible();
	await page.getByRole('button', { name: `Edit ${name}` }).click();
	const dialog = page.getByRole('dialog');
	await expect(dialog.getByLabel('Pool must be')).toHaveValue('main');
	await expectAccessible(page);
	await dialog.getByRole('checkbox', { name: 'Queue' }).uncheck();
	await expect(dialog.getByLabel('Queue must be')).toHaveCount(0);
	await dialog.getByLabel('Signatures must be').fill('k1');
	await dialog.getByLabel('Name').press('Enter');
	await expect(dialog.getByLabel('Signatures must be')).toBeFocused();
	await dialog.getByRole('button', { name: 'Fill in how it is now' }).click();
	await expect(dialog.getByLabel('Pool must be')).toHaveValue('warm');
	await expect(dialog.getByLabel('Signatures must be')).toHaveValue('k1 of example.com');
	await dialog.getByRole('button', { name: 'Save the route' }).click();
	await expect(page.getByText('Route saved')).toBeVisible();
	await page.getByRole('button', { name: 'Check now' }).click();
	await expect(page.getByText('kept', { exact: true })).toBeVisible();
	const [route] = (await registered.client.policy.routes.list.query({})).items;
	expect(route?.expectation).toMatchObject({ pool: 'warm', signatures: [{ selector: 'k1', domain: 'example.com' }] });
	expect(route?.expectation).not.toHaveProperty('queue');
	// The next test has the route as it was kept.
	await registered.client.policy.routes.update.mutate({
		id: route?.id ?? '',
		expectation: { ...route?.expectation, verdict: 'accepted', pool: 'main', sources: ['out1.example.net'] }
	});
	expect(complaints).toEqual([]);
});

test('a restore that breaks a route asks for its name, and the route is removed on a phone in the dark', async ({
	browser
}) => {
	await moveTo('main');
	const { client } = registered;
	const { hash } = await client.policy.preview.query();
	expect(await client.policy.apply.mutate({ expectedHash: hash })).toMatchObject({ outcome: 'applied' });

	const context = await browser.newContext({ viewport: { width: 390, height: 844 }, colorScheme: 'dark' });
	const page = await context.newPage();
	await signIn(page, registered.session);
	await page.goto(`${server.url}/policy/revisions`);
	const { items } = await client.policy.revisions.query({ sort: { by: 'number', dir: 'asc' } });
	const older = items.find(({ isLive, canRestore, appliedAt }) => !isLive && canRestore && appliedAt !== null);
	if (older === undefined) throw new Error('No older revision is left.');
	await page.goto(`${server.url}/policy/revisions/${older.number}`);
	await page.getByRole('button', { name: 'Restore', exact: true }).click();
	const dialog = page.getByRole('dialog').or(page.getByRole('alertdialog'));
	await dialog.getByRole('button', { name: 'Restore', exact: true }).click();
	await expect(dialog.getByText('leaves by pool warm instead of main').first()).toBeVisible();
	await expectAccessible(page);
	await dialog.getByLabel('Type its name to override it').fill(name);
	await dialog.getByRole('button', { name: 'Restore', exact: true }).click();
	await expect(page).toHaveURL(/\/policy\/review$/);

	await page.goto(`${server.url}/policy/routes`);
	await expect(page.getByText(name)).toBeVisible();
	await expectAccessible(page);
	await page.getByRole('button', { name: `Remove ${name}` }).click();
	await page.getByRole('button', { name: 'Remove the route' }).click();
	await expect(page.getByText('No golden routes yet')).toBeVisible();
	await context.close();
});
