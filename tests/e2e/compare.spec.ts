import { expect, test } from '@playwright/test';
import type { Browser, Page } from '@playwright/test';
import { startBuiltServer } from '../support/built-server.ts';
import type { BuiltServer } from '../support/built-server.ts';
import { expectAccessible, register, signIn, watchPage } from '../support/panel.ts';

/** Three revisions: the first, one with many changes in two domains, one that moves the host name; and one thing pending. */

let server: BuiltServer;
let registered: Awaited<ReturnType<typeof register>>;

test.beforeAll(async () => {
	server = await startBuiltServer();
	registered = await register(server);
	const { client } = registered;
	const source = await client.sources.create.mutate({ address: '203.0.113.24', ehloDomain: 'out1.example.net' });
	if (!('id' in source)) throw new Error('One source was asked for.');
	const sources = [{ sourceId: source.id, weight: 1 }];
	const main = await client.pools.create.mutate({ name: 'main', sources });
	const warm = await client.pools.create.mutate({ name: 'warm', sources });
	await client.settings.update.mutate({ hostname: 'mta1.example.net', defaultPoolId: main.id });
	const shop = await client.domains.create.mutate({ name: 'shop.example' });
	const news = await client.domains.create.mutate({ name: 'news.example' });
	const letter = { domainId: news.id, localPart: 'letter', poolId: main.id };
	const sender = await client.senders.create.mutate(letter);
	await apply('First');

	await client.senders.update.mutate({ id: sender.id, poolId: warm.id });
	for (let index = 1; index <= 105; index++) {
		const localPart = `till-${String(index).padStart(3, '0')}`;
		await client.senders.create.mutate({ domainId: shop.id, localPart, poolId: main.id });
	}
	await apply('Tills of the shop');

	await client.settings.update.mutate({ hostname: 'mta2.example.net' });
	await apply('New host name');
	await client.senders.update.mutate({ id: sender.id, limits: { perHour: 2000 } });
});
test.afterAll(() => server.remove());

async function apply(reason: string): Promise<void> {
	const { client } = registered;
	const { hash } = await client.policy.preview.query();
	const { outcome } = await client.policy.apply.mutate({ expectedHash: hash, reason });
	expect(outcome).toBe('applied');
}

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

/** Opens the difference of one file and answers its lines. */
function fileDifference(page: Page, path: string) {
	return page.getByRole('region', { name: `Difference of ${path}` });
}

for (const [width, height, theme] of [
	[1440, 900, 'light'],
	[390, 844, 'dark']
] as const) {
	test(`revisions are compared in words and by file at ${width} px, ${theme}`, async ({ browser }) => {
		const { page, complaints } = await openPage(browser, width, height, theme);
		const title = page.getByRole('heading', { level: 1 });
		const changes = page.getByRole('region', { name: 'What changes', exact: true });

		await test.step('from the list to what is pending', async () => {
			await visit(page, '/policy/revisions');
			await expectAccessible(page);
			for (const number of [1, 3])
				await page.getByRole('checkbox', { name: `Pick revision ${number} to compare` }).check();
			await page.getByRole('link', { name: 'Compare 1 with 3' }).click();
			await expect(title).toHaveText('Revision 1 to revision 3');
			await page.getByRole('combobox', { name: 'To', exact: true }).selectOption('What is pending');
			await expect(title).toHaveText('Revision 1 to what is pending');
		});

		await test.step('many changes stand below their domains', async () => {
			await page.getByRole('combobox', { name: 'To', exact: true }).selectOption('Revision 2');
			await expect(title).toHaveText('Revision 1 to revision 2');
			await expect(changes).toContainText('105 new, 1 changed');
			await changes.getByText('news.example', { exact: true }).click();
			await expect(changes).toContainText(/Sender letter@news\.example: pool\s+main →\s*becomes\s*warm/);
			await changes.getByText('shop.example', { exact: true }).click();
			await expect(changes).toContainText('till-001@shop.example');
			await changes.getByRole('searchbox').fill('letter');
			await expect(changes.getByText('shop.example', { exact: true })).toBeHidden();
			await expect(page.getByRole('region', { name: 'For the running server' })).toContainText('no restart');
			await expectAccessible(page);
		});

		await test.step('a file line by line, there and back', async () => {
			await visit(page, '/policy/compare?from=2&to=3');
			const effects = page.getByRole('region', { name: 'For the running server' });
			await expect(effects).toContainText('The host name changes.');
			await page.getByText('node.toml', { exact: true }).click();
			const lines = fileDifference(page, 'node.toml');
			await expect(lines).toContainText('removed: hostname = "mta1.example.net"');
			await expect(lines).toContainText('added: hostname = "mta2.example.net"');
			await expectAccessible(page);
			await page.getByRole('button', { name: 'Swap' }).click();
			await expect(title).toHaveText('Revision 3 to revision 2');
			await page.getByText('node.toml', { exact: true }).click();
			await expect(lines).toContainText('removed: hostname = "mta2.example.net"');
			await expect(page.getByRole('link', { name: 'Restore revision 2 …' })).toBeVisible();
		});

		await test.step('what is pending stands on the right', async () => {
			await visit(page, '/policy/compare');
			await expect(title).toHaveText('Revision 3 to what is pending');
			await expect(changes).toContainText('letter@news.example');
			await expect(changes).toContainText('2,000');
		});

		await test.step('the review says what an apply does', async () => {
			await visit(page, '/policy/review');
			await expect(title).toHaveText('1 change to apply');
			await expect(changes).toContainText('1 changed');
			await expect(page.getByRole('region', { name: 'For the running server' })).toContainText('no restart');
			await changes.getByText('letter@news.example').click();
			await expect(changes.getByRole('region')).toContainText('added:');
			await page.getByRole('region', { name: 'Exact differences' }).getByText('node.toml', { exact: true }).click();
			await expect(fileDifference(page, 'node.toml')).toContainText('added: revision =');
			await expectAccessible(page);
		});

		await test.step('an old revision tells of its apply as of the past', async () => {
			await visit(page, '/policy/revisions/1');
			await expect(page.getByText('Revision 1 went live')).toBeVisible();
			await expect(page.getByText('105 removed').first()).toBeVisible();
			await expectAccessible(page);
		});

		expect(complaints).toEqual([]);
		await page.context().close();
	});
}
