import { createHash, randomBytes } from 'node:crypto';
import { and, eq, gt, lt, ne, sql } from 'drizzle-orm';
import type { App } from '../app.ts';
import type { Database, DbOrTransaction } from '../core/database.ts';
import { notFound } from '../core/errors.ts';
import { follows, listPage, matchesText, ordered } from '../core/paging.ts';
import type { ListRequest } from '../core/paging.ts';
import type { Caller } from '../core/trpc.ts';
import { clientNetwork } from './limits.ts';
import { sessions, users } from './tables.ts';

const lifetimeMs = 7 * 24 * 60 * 60_000;
const touchEveryMs = 60_000;

const hashToken = (token: string) => createHash('sha256').update(token).digest('hex');

/** A new bearer token (256 random bits, base64url), valid seven days, not sliding. Only its SHA-256 is stored. */
export async function createSession(
	app: App,
	db: DbOrTransaction,
	{ userId, address, userAgent }: { userId: string; address: string | null; userAgent: string }
): Promise<{ token: string; expiresAt: number }> {
	const token = randomBytes(32).toString('base64url');
	const now = app.clock();
	const expiresAt = now + lifetimeMs;
	await db.insert(sessions).values({
		userId,
		tokenHash: hashToken(token),
		createdAt: now,
		expiresAt,
		lastUsedAt: now,
		address: address ?? 'unknown',
		userAgent
	});
	return { token, expiresAt };
}

const rememberedMs = 250;
const mostRemembered = 10_000;

interface Remembered {
	caller: Caller;
	expiresAt: number;
	forgetAt: number;
}

/**
 * Callers seen in the last quarter of a second, per database: a busy client costs one look-up instead of hundreds. What
 * ends a session in this process forgets them at once; another process (the command line) is noticed within that time.
 */
const remembered = new WeakMap<Database, Map<string, Remembered>>();

/** To be called after every commit that ended a session. */
export function forgetCallers(app: App): void {
	remembered.delete(app.database);
}

/** Who a token belongs to; null when it is unknown, expired or revoked. */
export async function findCaller(app: App, token: string): Promise<Caller | null> {
	if (token.length !== 43) return null;
	const now = app.clock();
	const tokenHash = hashToken(token);
	const known = remembered.get(app.database) ?? new Map<string, Remembered>();
	const seen = known.get(tokenHash);
	if (seen !== undefined && now < seen.forgetAt && now < seen.expiresAt) return seen.caller;
	remembered.set(app.database, known);
	const found = await readCaller(app, tokenHash, now);
	if (found === null) return null;
	// A session that ended meanwhile made a new map: then this one is nobody's any more.
	if (known.size > mostRemembered) known.clear();
	known.set(tokenHash, { ...found, forgetAt: now + rememberedMs });
	return found.caller;
}

/** Built once per database: building it costs more than asking. */
const sessionQueries = new WeakMap<Database, ReturnType<typeof prepareSessionQuery>>();

function prepareSessionQuery({ database, db }: App) {
	const query = db
		.select({
			id: sessions.id,
			userId: sessions.userId,
			email: users.email,
			lastUsedAt: sessions.lastUsedAt,
			expiresAt: sessions.expiresAt
		})
		.from(sessions)
		.innerJoin(users, eq(users.id, sessions.userId))
		.where(and(eq(sessions.tokenHash, sql.placeholder('tokenHash')), gt(sessions.expiresAt, sql.placeholder('now'))))
		.limit(1)
		.prepare();
	sessionQueries.set(database, query);
	return query;
}

async function readCaller(app: App, tokenHash: string, now: number): Promise<Omit<Remembered, 'forgetAt'> | null> {
	const query = sessionQueries.get(app.database) ?? prepareSessionQuery(app);
	const [row] = await query.execute({ tokenHash, now });
	if (row === undefined) return null;
	if (now - row.lastUsedAt > touchEveryMs) await touch(app, row.id, now);
	return {
		caller: { actor: row.userId, name: row.email, userId: row.userId, sessionId: row.id },
		expiresAt: row.expiresAt
	};
}

/** When a session was last used is for the eye: a full disk must not lock the operator out of looking. */
async function touch(app: App, id: string, now: number): Promise<void> {
	try {
		await app.db.update(sessions).set({ lastUsedAt: now }).where(eq(sessions.id, id));
	} catch (error) {
		app.log.warn('last use of a session was not stored', { error });
	}
}

/** Whether a user has a live session that was opened from this network (see `clientNetwork`). */
export async function hasSessionFrom(app: App, userId: string, network: string): Promise<boolean> {
	const rows = await app.db
		.selectDistinct({ address: sessions.address })
		.from(sessions)
		.where(and(eq(sessions.userId, userId), gt(sessions.expiresAt, app.clock())))
		.limit(1000);
	return rows.some(({ address }) => clientNetwork(address) === network);
}

const sortColumns = { lastUsedAt: sessions.lastUsedAt, createdAt: sessions.createdAt };

/** The caller's own sessions, those used last first. */
export async function listSessions(app: App, caller: Caller, input: ListRequest<'lastUsedAt' | 'createdAt'>) {
	const { by, dir } = input.sort ?? { by: 'lastUsedAt', dir: 'desc' };
	const column = sortColumns[by];
	const where = and(
		eq(sessions.userId, caller.userId ?? ''),
		gt(sessions.expiresAt, app.clock()),
		matchesText(input.search, sessions.userAgent, sessions.address)
	);
	const page = await listPage<typeof sessions.$inferSelect>(input, {
		binding: null,
		key: (row) => [row[by], row.id],
		count: () => app.db.$count(sessions, where),
		read: (after, limit) =>
			app.db
				.select()
				.from(sessions)
				.where(and(where, follows(column, sessions.id, dir, after)))
				.orderBy(...ordered(column, sessions.id, dir))
				.limit(limit)
	});
	const items = page.items.map(({ tokenHash: _, userId: __, ...session }) => ({
		...session,
		isCurrent: session.id === caller.sessionId
	}));
	return { ...page, items };
}

export async function revokeSession(app: App, caller: Caller, id: string): Promise<{ id: string }> {
	const gone = await app.db
		.delete(sessions)
		.where(and(eq(sessions.id, id), eq(sessions.userId, caller.userId ?? '')))
		.returning({ id: sessions.id });
	forgetCallers(app);
	if (gone.length === 0) throw notFound('session');
	return { id };
}

/** Ends every session of a user, except one. The caller forgets remembered callers once that is committed. */
export async function endSessions(db: DbOrTransaction, userId: string, exceptId: string | null): Promise<number> {
	const gone = await db
		.delete(sessions)
		.where(and(eq(sessions.userId, userId), exceptId === null ? undefined : ne(sessions.id, exceptId)))
		.returning({ id: sessions.id });
	return gone.length;
}

export async function revokeOtherSessions(app: App, caller: Caller): Promise<{ ended: number }> {
	const ended = await endSessions(app.db, caller.userId ?? '', caller.sessionId);
	forgetCallers(app);
	return { ended };
}

export async function removeExpiredSessions(app: App): Promise<void> {
	await app.db.delete(sessions).where(lt(sessions.expiresAt, app.clock()));
}
