import { eq } from 'drizzle-orm';
import { beforeEach, describe, expect, it } from 'vitest';
import { openTestApp } from '../../../../tests/support/app.ts';
import type { App } from '../app.ts';
import { Secret } from '../core/secret.ts';
import { hashPassword } from './password.ts';
import { changePassword, login, setUserPassword } from './service.ts';
import { createSession, findCaller } from './sessions.ts';
import { sessions, users } from './tables.ts';

const email = 'ops@example.net';
const from = { address: '192.0.2.1', userAgent: 'test' };
const first = new Secret('the first quiet sentence');
const second = new Secret('the second quiet sentence');
const third = new Secret('the third quiet sentence');

let app: App;
let userId: string;

beforeEach(async () => {
	app = await openTestApp();
	const passwordHash = await hashPassword(first);
	const [user] = await app.db
		.insert(users)
		.values({ email, passwordHash, passwordChangedAt: 1, createdAt: 1 })
		.returning({ id: users.id });
	userId = user?.id ?? '';
});

const reason = (call: Promise<unknown>) =>
	call.then(
		() => 'ok',
		(error: { detail?: { reason?: string } }) => error.detail?.reason ?? 'another error'
	);

/** Lets the password change while another call, begun before, is still hashing. */
function slowly<T>(begin: () => Promise<T>): Promise<T> {
	const begun = begin();
	return setUserPassword(app, { email, password: second }).then(() => begun);
}

describe('a password that changes', () => {
	it('leaves no session behind that the old password opened meanwhile', async () => {
		const tries = Array.from({ length: 4 }, () => reason(login(app, from, { email, password: first })));
		await setUserPassword(app, { email, password: second });
		const outcomes = await Promise.all(tries);
		const left = await app.db.select().from(sessions).where(eq(sessions.userId, userId));
		expect(left).toEqual([]);
		expect(outcomes).toContain('wrong-password');
		expect(await reason(login(app, from, { email, password: second }))).toBe('ok');
	});

	it('is not changed a second time by who knew only the old one', async () => {
		const { token } = await createSession(app, app.db, { userId, ...from });
		const caller = await findCaller(app, token);
		if (caller === null) throw new Error('no session');
		const change = () => changePassword(app, caller, { currentPassword: first, newPassword: third }, from);
		expect(await reason(slowly(change))).toBe('wrong-password');
		expect(await reason(login(app, from, { email, password: third }))).toBe('wrong-password');
		expect(await reason(login(app, from, { email, password: second }))).toBe('ok');
	});
});

describe('a session', () => {
	it('is found while its last use cannot be written', async () => {
		const { token } = await createSession(app, app.db, { userId, ...from });
		await app.db.update(sessions).set({ lastUsedAt: app.clock() - 120_000 });
		await app.database.client.execute(
			"create trigger full_disk before update on sessions begin select raise(abort, 'database or disk is full'); end"
		);
		expect(await findCaller(app, token)).toMatchObject({ userId });
	});
});

describe('a crowd of strangers', () => {
	it('does not keep the operator out where a session of theirs was opened', async () => {
		await createSession(app, app.db, { userId, ...from });
		let strangersDone = 0;
		const crowd = Array.from({ length: 60 }, (_, index) =>
			reason(
				login(
					app,
					{ address: `198.51.100.${index}`, userAgent: 'test' },
					{ email: `n${index}@example.net`, password: first }
				)
			).finally(() => (strangersDone += 1))
		);
		await expect.poll(() => strangersDone, { timeout: 10_000 }).toBeGreaterThan(20);
		const before = strangersDone;
		expect(await reason(login(app, from, { email, password: first }))).toBe('ok');
		expect(strangersDone - before).toBeLessThan(8);
		const outcomes = await Promise.all(crowd);
		expect(outcomes).toContain('busy');
		expect(outcomes).toContain('wrong-password');
	});
});
