import { eq, lt, sql } from 'drizzle-orm';
import { isIPv6 } from 'node:net';
import { counted } from '../../shared/counted.ts';
import type { App } from '../app.ts';
import { UserError } from '../core/errors.ts';
import { knownRefusal, rememberRefusal } from './flood.ts';
import { attempts } from './tables.ts';

const windowMs = 15 * 60_000;

/** What may fail how often in a quarter of an hour. */
export const failureLimits = { accountFromAddress: 5, address: 20, site: 100, setupCode: 10 } as const;

/** An account attacked from many addresses is slowed from here on, never locked. */
const slowedAfter = 30;
const slowestMs = 3000;

/** The network a client counts as: one IPv4 address, or one IPv6 /64 (RFC 6177 sites get at least that much). */
export function clientNetwork(address: string | null): string {
	if (address === null) return 'unknown';
	const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
	if (mapped?.[1]) return mapped[1];
	if (!isIPv6(address)) return address;
	return `${prefixOf(address, 4)}::/64`;
}

/** The site around an IPv6 client: whoever holds a /48 has 65,536 networks of /64. Null for IPv4. */
export function clientSite(address: string | null): string | null {
	const isMapped = address !== null && /^::ffff:\d+\./i.test(address);
	return address === null || isMapped || !isIPv6(address) ? null : `${prefixOf(address, 3)}::/48`;
}

function prefixOf(address: string, length: number): string {
	const [head = '', tail] = address.split('::');
	const left = head.split(':').filter(Boolean);
	const right = tail === undefined ? [] : tail.split(':').filter(Boolean);
	const groups = [...left, ...Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right];
	return groups
		.slice(0, length)
		.map((group) => parseInt(group, 16).toString(16))
		.join(':');
}

/**
 * Counts an attempt before it is made, in one statement, so that parallel tries in one batch can't all see an empty
 * count. A success gives it back.
 * @throws UserError TOO_MANY_REQUESTS with `retryAfterMs` once `limit` is used up.
 */
export async function countAttempt(app: App, key: string, limit: number): Promise<number> {
	const now = app.clock();
	const refusedUntil = knownRefusal(app, key);
	if (refusedUntil !== undefined) throw tooManyTries(refusedUntil - now);
	const expired = sql`${attempts.windowEndsAt} <= ${now}`;
	const [row] = await app.db
		.insert(attempts)
		.values({ key, count: 1, windowEndsAt: now + windowMs })
		.onConflictDoUpdate({
			target: attempts.key,
			set: {
				count: sql`case when ${expired} then 1 else ${attempts.count} + 1 end`,
				windowEndsAt: sql`case when ${expired} then ${now + windowMs} else ${attempts.windowEndsAt} end`
			}
		})
		.returning();
	if (row === undefined) throw new Error('The attempt was not counted.');
	if (row.count > limit) {
		rememberRefusal(app, key, row.windowEndsAt);
		throw tooManyTries(row.windowEndsAt - now);
	}
	return row.count;
}

function tooManyTries(retryAfterMs: number): UserError {
	return new UserError(
		'TOO_MANY_REQUESTS',
		`Too many tries. Wait ${counted(Math.ceil(retryAfterMs / 60_000), 'minute')} and try again.`,
		{ reason: 'too-many-tries', retryAfterMs }
	);
}

export async function forgiveAttempts(app: App, key: string): Promise<void> {
	await app.db.delete(attempts).where(eq(attempts.key, key));
}

export async function returnAttempt(app: App, key: string): Promise<void> {
	await app.db
		.update(attempts)
		.set({ count: sql`max(0, ${attempts.count} - 1)` })
		.where(eq(attempts.key, key));
}

/** How long the next try on an account must wait when it is under attack from everywhere. */
export function slowdownMs(failures: number): number {
	return failures <= slowedAfter ? 0 : Math.min(slowestMs, (failures - slowedAfter) * 100);
}

/** Drops windows that have ended. */
export async function removeEndedAttempts(app: App): Promise<void> {
	await app.db.delete(attempts).where(lt(attempts.windowEndsAt, app.clock()));
}
