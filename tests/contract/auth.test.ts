import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eq } from 'drizzle-orm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { App } from '../../src/lib/server/app.ts';
import { auditEntries } from '../../src/lib/server/audit/tables.ts';
import { prepareSetupCode } from '../../src/lib/server/auth/setup-code.ts';
import { setUserPassword } from '../../src/lib/server/auth/service.ts';
import { attempts, users } from '../../src/lib/server/auth/tables.ts';
import { Secret } from '../../src/lib/server/core/secret.ts';
import type { Context } from '../../src/lib/server/core/trpc.ts';
import { createGate } from '../../src/lib/server/gate.ts';
import { appRouter } from '../../src/lib/server/router.ts';
import { openTestApp } from '../support/app.ts';

const email = 'ops@example.net';
const password = 'a long and quiet sentence';
const week = 7 * 24 * 60 * 60_000;

let app: App;
let now = 1_800_000_000_000;

beforeEach(async () => {
	app = await openTestApp({ clock: () => now });
	await prepareSetupCode(app);
});
afterEach(() => app.close());

const as = (token: string | null, address: string | null = '192.0.2.1') => {
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
const setupCode = () => readFileSync(join(app.env.dataDir, 'setup-code'), 'utf8').trim();
const register = (overrides: Partial<{ email: string; password: string; setupCode: string }> = {}) =>
	as(null).auth.register({ email, password, setupCode: setupCode(), ...overrides });
const login = (attempt = password, address = '192.0.2.1', who = email) =>
	as(null, address).auth.login({ email: who, password: attempt });
const outcome = (call: Promise<unknown>): Promise<string> =>
	call.then(
		() => 'ok',
		(error: { code?: string; cause?: { detail?: { reason?: string } } }) =>
			error.cause?.detail?.reason ?? error.code ?? 'unknown'
	);

describe('the first account', () => {
	it('is made once, whoever comes in parallel', async () => {
		const code = setupCode();
		const outcomes = await Promise.all(
			Array.from({ length: 8 }, (_, index) =>
				outcome(as(null).auth.register({ email: `ops${index}@example.net`, password, setupCode: code }))
			)
		);
		expect(outcomes.filter((each) => each === 'ok')).toHaveLength(1);
		expect(outcomes.filter((each) => each === 'already-set-up')).toHaveLength(7);
		expect(await app.db.$count(users)).toBe(1);
	});

	it('needs the setup code, typed with or without dashes', async () => {
		expect(await outcome(register({ setupCode: '0000-0000-0000-0000-0000-0000-0000-0000' }))).toBe('wrong-setup-code');
		expect(await outcome(register({ setupCode: setupCode().replaceAll('-', ' ').toUpperCase() }))).toBe('ok');
		expect(await outcome(as(null).auth.register({ email: 'two@example.net', password, setupCode: 'x' }))).toBe(
			'already-set-up'
		);
	});

	it('can not be reached by guessing the code', async () => {
		for (let tries = 0; tries < 10; tries += 1)
			expect(await outcome(register({ setupCode: `${tries}` }))).toBe('wrong-setup-code');
		expect(await outcome(register())).toBe('too-many-tries');
	});

	it.each([
		['short', 'elevenchars'],
		['too long for bcrypt', 'é'.repeat(37)],
		['common', 'password1234'],
		['the e-mail', 'ops@example.net'],
		['one letter', 'aaaaaaaaaaaaaaaa']
	])('refuses a password that is %s', async (_, weak) => {
		await expect(register({ password: weak })).rejects.toMatchObject({
			code: 'BAD_REQUEST',
			cause: { detail: { field: 'password' } }
		});
		expect(await app.db.$count(users)).toBe(0);
	});
});

describe('tokens', () => {
	it('are new at each login, and stored only as a hash', async () => {
		const { token } = await register();
		const second = await login();
		expect(second.token).not.toBe(token);
		const stored = await app.database.client.execute('SELECT * FROM sessions');
		expect(JSON.stringify(stored.rows)).not.toContain(token);
		expect(await as(token).auth.me()).toMatchObject({ email });
	});

	it('end with logout, expiry, revocation and a password change', async () => {
		const { token } = await register();
		const [out, revoked, other] = [await login(), await login(), await login()];
		await as(out.token).auth.logout();
		expect(await outcome(as(out.token).auth.me())).toBe('not-signed-in');
		const { items } = await as(revoked.token).auth.sessions.list();
		await as(token).auth.sessions.revoke({ id: items.find(({ isCurrent }) => isCurrent)?.id ?? '' });
		expect(await outcome(as(revoked.token).auth.me())).toBe('not-signed-in');
		await as(token).auth.changePassword({ currentPassword: password, newPassword: 'another quiet sentence' });
		expect(await outcome(as(other.token).auth.me())).toBe('not-signed-in');
		expect(await outcome(as(token).auth.me())).toBe('ok');
		expect(await outcome(login())).toBe('wrong-password');
		now += week;
		expect(await outcome(as(token).auth.me())).toBe('not-signed-in');
	});

	it('end when the operator sets the password at the server', async () => {
		const { token } = await register();
		await setUserPassword(app, { email, password: new Secret('set at the console') });
		expect(await outcome(as(token).auth.me())).toBe('not-signed-in');
		expect(await outcome(login('set at the console'))).toBe('ok');
	});
});

describe('guessing a password', () => {
	it('stops after five tries for the account from one address, also in parallel, and the right password then waits too', async () => {
		await register();
		const outcomes = await Promise.all(Array.from({ length: 20 }, () => outcome(login('wrong password!'))));
		expect(outcomes.filter((each) => each === 'wrong-password')).toHaveLength(5);
		expect(outcomes.filter((each) => each === 'too-many-tries')).toHaveLength(15);
		expect(await outcome(login())).toBe('too-many-tries');
		now += 15 * 60_000;
		expect(await outcome(login())).toBe('ok');
	});

	it('never locks the operator out of another address', async () => {
		await register();
		for (let tries = 0; tries < 30; tries += 1) await outcome(login('wrong password!', `198.51.100.${tries}`));
		expect(await outcome(login(password, '203.0.113.5'))).toBe('ok');
	});

	it('counts a whole IPv6 /64 as one address', async () => {
		await register();
		for (let tries = 0; tries < 5; tries += 1) await outcome(login('wrong password!', `2001:db8:1:2::${tries}`));
		expect(await outcome(login(password, '2001:db8:1:2:ffff::1'))).toBe('too-many-tries');
		expect(await outcome(login(password, '2001:db8:1:3::1'))).toBe('ok');
	});

	it('stops after a hundred tries from one IPv6 site, however many networks it has', async () => {
		await register();
		for (const network of ['a', 'b', 'c']) await outcome(login('wrong password!', `2001:db8:1:${network}::1`));
		const ofSite = eq(attempts.key, 'login 2001:db8:1::/48');
		expect((await app.db.select().from(attempts).where(ofSite)).map(({ count }) => count)).toEqual([3]);
		await app.db.update(attempts).set({ count: 100 }).where(ofSite);
		expect(await outcome(login(password, '2001:db8:1:d::1'))).toBe('too-many-tries');
		expect(await outcome(login(password, '2001:db8:2::1'))).toBe('ok');
	});

	it('stops after twenty tries from one address over all accounts', async () => {
		await register();
		for (let tries = 0; tries < 20; tries += 1)
			expect(await outcome(login('wrong password!', '192.0.2.1', `nobody${tries}@example.net`))).toBe('wrong-password');
		expect(await outcome(login('wrong password!', '192.0.2.1', 'nobody21@example.net'))).toBe('too-many-tries');
	});

	it('answers an unknown account as a wrong password, by the same work', async () => {
		await register();
		const known = await login('wrong password!').catch((error: Error) => error.message);
		const unknown = await login('wrong password!', '192.0.2.1', 'nobody@example.net').catch(
			(error: Error) => error.message
		);
		expect(unknown).toBe(known);
	});

	it('is written down with the account that was tried and without the password', async () => {
		await register();
		await outcome(login('hunter2hunter2'));
		const rows = await app.db.select().from(auditEntries);
		expect(rows.at(-1)).toMatchObject({
			action: 'auth.login',
			outcome: 'UNAUTHORIZED',
			reason: 'wrong-password',
			address: '192.0.2.1',
			input: { email, password: '[secret]' }
		});
		expect(JSON.stringify(rows)).not.toMatch(/hunter2|a long and quiet/);
	});
});
