import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { expect } from '@playwright/test';
import type { Page } from '@playwright/test';
import type { BuiltServer } from './built-server.ts';
import { createClient } from './client.ts';

export const account = { email: 'ops@example.net', password: 'a long and quiet sentence' };

/** The first account, and a client that is signed in. */
export async function register(server: BuiltServer) {
	const session = await createClient(server.url).auth.register.mutate({ ...account, setupCode: server.setupCode() });
	return { session, client: createClient(server.url, session.token) };
}

/** Opens pages as somebody who is signed in already. */
export async function signIn(
	page: Page,
	session: { token: string; expiresAt: number; user: { id: string; email: string } }
): Promise<void> {
	await page.addInitScript((stored) => localStorage.setItem('kumomta-ui.session', stored), JSON.stringify(session));
}

/** Fails the test on what must never happen in any page: a refused style or script, an exception, an error in the console. */
export async function watchPage(page: Page): Promise<{ complaints: string[] }> {
	const complaints: string[] = [];
	page.on('pageerror', (error) => complaints.push(`exception: ${error.message}`));
	page.on('console', (message) => {
		// The browser reports every refused call itself; the page shows it where it belongs.
		if (message.type() === 'error' && !/status of 4\d\d/.test(message.text()))
			complaints.push(`console: ${message.text()}`);
	});
	await page.exposeFunction('reportViolation', (text: string) => complaints.push(`policy: ${text}`));
	await page.addInitScript(() =>
		addEventListener('securitypolicyviolation', (event) =>
			(window as unknown as { reportViolation: (text: string) => void }).reportViolation(
				`${event.violatedDirective} ${event.blockedURI} ${event.sample}`
			)
		)
	);
	return { complaints };
}

/** No barrier that axe knows of, in the theme that is shown, and nothing wider than the window. */
export async function expectAccessible(page: Page): Promise<void> {
	const { violations } = await new AxeBuilder({ page }).analyze();
	expect(
		violations.map(({ id, nodes }) => `${page.url()} ${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`)
	).toEqual([]);
	expect(
		await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth),
		`${page.url()} scrolls sideways`
	).toBe(true);
}

/** Pictures of a page for people to judge, in both sizes and themes: only when SHOTS names a directory for them. */
export async function shoot(page: Page, name: string): Promise<void> {
	if (!process.env.SHOTS) return;
	for (const width of [1440, 390])
		for (const colorScheme of ['light', 'dark'] as const) {
			await page.setViewportSize({ width, height: 900 });
			await page.emulateMedia({ colorScheme });
			await page.screenshot({ path: join(process.env.SHOTS, `${name}-${width}-${colorScheme}.png`), fullPage: true });
		}
	await page.setViewportSize({ width: 1440, height: 900 });
}
