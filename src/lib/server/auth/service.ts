import { and, eq, sql } from 'drizzle-orm';
import type { App } from '../app.ts';
import type { DbOrTransaction } from '../core/database.ts';
import { UserError, withConstraint } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';
import type { Caller, Context } from '../core/trpc.ts';
import { forgetRefusals } from './flood.ts';
import {
	clientNetwork,
	clientSite,
	countAttempt,
	failureLimits,
	forgiveAttempts,
	returnAttempt,
	slowdownMs
} from './limits.ts';
import { assertStrongPassword, hashPassword, verifyPassword } from './password.ts';
import { createSession, endSessions, forgetCallers, hasSessionFrom } from './sessions.ts';
import { isSetupCode, isSetupRequired, removeSetupCode } from './setup-code.ts';
import { users } from './tables.ts';

export interface SignedIn {
	token: string;
	expiresAt: number;
	user: { id: string; email: string };
}

type From = Pick<Context, 'address' | 'userAgent'>;

/** Makes the first account. Which of two parallel calls wins is decided by the unique constraint, not by a count. */
export async function register(
	app: App,
	from: From,
	{ email, password, setupCode }: { email: string; password: Secret; setupCode: Secret }
): Promise<SignedIn> {
	if (!(await isSetupRequired(app))) throw setUp();
	const key = `setup ${clientNetwork(from.address)}`;
	await countAttempt(app, key, failureLimits.setupCode);
	if (!isSetupCode(app, setupCode)) {
		throw new UserError(
			'FORBIDDEN',
			'This is not the setup code. Look for it in the terminal that started the server, or in the file setup-code of its data directory.',
			{
				reason: 'wrong-setup-code',
				field: 'setupCode'
			}
		);
	}
	assertStrongPassword(password, { email, field: 'password' });
	const passwordHash = await hashPassword(password);
	const now = app.clock();
	const signedIn = await withConstraint({ unique: setUp }, () =>
		app.db.transaction(async (tx) => {
			const [user] = await tx
				.insert(users)
				.values({ email, passwordHash, registration: 'first', passwordChangedAt: now, createdAt: now })
				.returning({ id: users.id, email: users.email });
			if (user === undefined) throw new Error('The account was not stored.');
			return { ...(await createSession(app, tx, { userId: user.id, ...from })), user };
		})
	);
	removeSetupCode(app);
	await forgiveAttempts(app, key);
	return signedIn;
}

function setUp(): UserError {
	return new UserError('CONFLICT', 'This panel already has its account. No second one was made. Sign in instead.', {
		reason: 'already-set-up'
	});
}

/**
 * Signs in. Every try is counted before the password is looked at: five per account from one address and twenty per
 * address in a quarter of an hour. Failures from everywhere slow strangers down; they never lock the account, and where
 * the operator is signed in, or was within a week, the crowd is passed by.
 */
export async function login(
	app: App,
	from: From,
	{ email, password }: { email: string; password: Secret }
): Promise<SignedIn> {
	const network = clientNetwork(from.address);
	const keys = {
		address: `login ${network}`,
		account: `login ${network} ${email}`,
		everywhere: `login-everywhere ${email}`
	};
	const site = clientSite(from.address);
	if (site !== null) await countAttempt(app, `login ${site}`, failureLimits.site);
	await countAttempt(app, keys.address, failureLimits.address);
	const tries = await countAttempt(app, keys.account, failureLimits.accountFromAddress);
	const failures = await countAttempt(app, keys.everywhere, Number.MAX_SAFE_INTEGER);
	const [user] = await app.db.select().from(users).where(eq(users.email, email)).limit(1);
	const asker = user !== undefined && (await hasSessionFrom(app, user.id, network)) ? 'known' : 'stranger';
	if (asker === 'stranger') await new Promise((resolve) => setTimeout(resolve, slowdownMs(failures)));
	if (!(await verifyPassword(user?.passwordHash, password, asker)) || user === undefined)
		throw wrongPassword(failureLimits.accountFromAddress - tries);
	// A password that was changed while this one was looked at has ended every session: no new one comes after that.
	const session = await app.db.transaction(async (tx) =>
		(await isPasswordStill(tx, user)) ? createSession(app, tx, { userId: user.id, ...from }) : undefined
	);
	if (session === undefined) throw wrongPassword(failureLimits.accountFromAddress - tries);
	await forgiveAttempts(app, keys.account);
	await returnAttempt(app, keys.address);
	if (site !== null) await returnAttempt(app, `login ${site}`);
	await returnAttempt(app, keys.everywhere);
	return { ...session, user: { id: user.id, email: user.email } };
}

async function isPasswordStill(tx: DbOrTransaction, seen: { id: string; passwordHash: string }): Promise<boolean> {
	return (await tx.$count(users, and(eq(users.id, seen.id), eq(users.passwordHash, seen.passwordHash)))) === 1;
}

function wrongPassword(triesLeft: number): UserError {
	const left =
		triesLeft <= 0
			? 'That was the last try for 15 minutes.'
			: `${triesLeft} ${triesLeft === 1 ? 'try' : 'tries'} left for 15 minutes.`;
	return new UserError('UNAUTHORIZED', `E-mail and password do not match. ${left}`, {
		reason: 'wrong-password',
		field: 'password'
	});
}

/** Sets a new password and ends every other session of the user. */
export async function changePassword(
	app: App,
	caller: Caller,
	{ currentPassword, newPassword }: { currentPassword: Secret; newPassword: Secret },
	from: From
): Promise<{ id: string; email: string }> {
	const [user] = await app.db
		.select()
		.from(users)
		.where(eq(users.id, caller.userId ?? ''))
		.limit(1);
	if (user === undefined)
		throw new UserError('FORBIDDEN', 'Only a signed-in person has a password to change. Nothing was changed.', {
			reason: 'no-account'
		});
	const key = `password ${clientNetwork(from.address)} ${user.id}`;
	await countAttempt(app, key, failureLimits.accountFromAddress);
	if (!(await verifyPassword(user.passwordHash, currentPassword, 'known'))) throw notCurrent();
	await forgiveAttempts(app, key);
	assertStrongPassword(newPassword, { email: user.email, field: 'newPassword' });
	const passwordHash = await hashPassword(newPassword);
	await storePassword(app, { userId: user.id, passwordHash, keepSessionId: caller.sessionId, seen: user });
	return { id: user.id, email: user.email };
}

function notCurrent(): UserError {
	return new UserError('FORBIDDEN', 'This is not the current password. Nothing was changed.', {
		reason: 'wrong-password',
		field: 'currentPassword'
	});
}

/** For the locked-out operator at the server: a new password, and every session ended. */
export async function setUserPassword(
	app: App,
	{ email, password }: { email: string; password: Secret }
): Promise<{ id: string; email: string; sessionsEnded: number }> {
	const [user] = await app.db.select().from(users).where(eq(users.email, email)).limit(1);
	if (user === undefined)
		throw new UserError('NOT_FOUND', `There is no account ${email}. Nothing was changed.`, {
			reason: 'no-such-user',
			field: 'email'
		});
	assertStrongPassword(password, { email: user.email, field: 'password' });
	const passwordHash = await hashPassword(password);
	const sessionsEnded = await storePassword(app, { userId: user.id, passwordHash, keepSessionId: null });
	await forgiveFailures(app, user.email);
	return { id: user.id, email: user.email, sessionsEnded };
}

interface NewPassword {
	userId: string;
	passwordHash: string;
	keepSessionId: string | null;
	/** The account as it was when its password was proven; one that changed since stays as it is. */
	seen?: { id: string; passwordHash: string };
}

async function storePassword(app: App, { userId, passwordHash, keepSessionId, seen }: NewPassword): Promise<number> {
	const ended = await app.db.transaction(async (tx) => {
		if (seen !== undefined && !(await isPasswordStill(tx, seen))) throw notCurrent();
		await tx
			.update(users)
			.set({ passwordHash, passwordChangedAt: app.clock(), version: sql`version + 1` })
			.where(eq(users.id, userId));
		return endSessions(tx, userId, keepSessionId);
	});
	forgetCallers(app);
	return ended;
}

async function forgiveFailures(app: App, email: string): Promise<void> {
	forgetRefusals(app);
	await app.db.run(
		sql`delete from attempts where key = ${`login-everywhere ${email}`} or (key like 'login %' and substr(key, -${email.length + 1}) = ${` ${email}`})`
	);
}

export async function listUsers(
	app: App
): Promise<{ id: string; email: string; createdAt: number; passwordChangedAt: number }[]> {
	return app.db
		.select({
			id: users.id,
			email: users.email,
			createdAt: users.createdAt,
			passwordChangedAt: users.passwordChangedAt
		})
		.from(users)
		.orderBy(users.email);
}
