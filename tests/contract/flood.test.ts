import { beforeEach, describe, expect, it } from 'vitest';
import type { App } from '../../src/lib/server/app.ts';
import { auditEntries } from '../../src/lib/server/audit/tables.ts';
import { prepareSetupCode } from '../../src/lib/server/auth/setup-code.ts';
import { createBudget } from '../../src/lib/server/core/budget.ts';
import type { Caller, Context } from '../../src/lib/server/core/trpc.ts';
import { createGate } from '../../src/lib/server/gate.ts';
import { appRouter } from '../../src/lib/server/router.ts';
import { openTestApp, testClock } from '../support/app.ts';

const clock = testClock();
let app: App;

beforeEach(async () => {
	app = await openTestApp({ clock: clock.now });
});

const from = (address: string, token: string | null = null) => {
	const context: Context = {
		app,
		gate: createGate(app),
		requestId: 'test',
		address,
		userAgent: 'test',
		token,
		local: null
	};
	return appRouter.createCaller(context);
};

const rows = () => app.db.$count(auditEntries);
const login = (address: string) =>
	from(address)
		.auth.login({ email: 'not an address', password: 'x' })
		.catch(() => {});

describe('a flood from one stranger', () => {
	it('fills no disk: sixty rows of a quarter of an hour, and again in the next', async () => {
		for (let call = 0; call < 200; call += 1) await login('192.0.2.1');
		expect(await rows()).toBe(60);
		await login('192.0.2.2');
		expect(await rows()).toBe(61);
		clock.advance(15 * 60_000);
		await login('192.0.2.1');
		expect(await rows()).toBe(62);
	});

	it('hides nothing that succeeds', async () => {
		for (let call = 0; call < 100; call += 1) await login('192.0.2.1');
		const setup = await prepareSetupCode(app);
		const input = { email: 'ops@example.net', password: 'a long and quiet sentence', setupCode: setup?.code ?? '' };
		const { user } = await from('192.0.2.1').auth.register(input);
		const all = await app.db.select().from(auditEntries);
		expect(all.at(-1)).toMatchObject({ action: 'auth.register', outcome: 'ok', actor: user.id, actorName: user.email });
	});

	it('costs no write for each call without a session', async () => {
		for (let call = 0; call < 31; call += 1)
			await from('192.0.2.1')
				.auth.logout()
				.catch(() => {});
		const before = await app.database.client.execute('select total_changes() as changes');
		for (let call = 0; call < 20; call += 1)
			await expect(from('192.0.2.1').auth.logout()).rejects.toHaveProperty('code', 'UNAUTHORIZED');
		const after = await app.database.client.execute('select total_changes() as changes');
		expect(await rows()).toBe(30);
		expect(after.rows).toEqual(before.rows);
	});
});

it('a change that the budget of its session refuses is written down', async () => {
	const setup = await prepareSetupCode(app);
	const input = { email: 'ops@example.net', password: 'a long and quiet sentence', setupCode: setup?.code ?? '' };
	const { token, user } = await from('192.0.2.1').auth.register(input);
	const empty = createBudget(() => 0);
	app.budget.spend = (session, kind) => empty.spend(session, kind);
	const spent: Caller['sessionId'] = (await from('192.0.2.1', token).auth.sessions.list()).items[0]?.id ?? '';
	while (app.budget.spend(spent, 'mutation') === 0);
	await expect(from('192.0.2.1', token).settings.update({ hostname: 'a.example.net' })).rejects.toMatchObject({
		cause: { detail: { reason: 'budget-spent' } }
	});
	const all = await app.db.select().from(auditEntries);
	expect(all.at(-1)).toMatchObject({ action: 'settings.update', outcome: 'TOO_MANY_REQUESTS', actor: user.id });
});
