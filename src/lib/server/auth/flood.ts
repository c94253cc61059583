import type { App } from '../app.ts';
import type { Database } from '../core/database.ts';

/**
 * What keeps a flood of calls from becoming a flood of writes. In memory, per database, and never the limit itself: a
 * restart forgets it.
 */
interface Memory {
	counts: Map<string, { count: number; endsAt: number }>;
	refusals: Map<string, { endsAt: number; askAgainAt: number }>;
}

const windowMs = 15 * 60_000;
const askAgainAfterMs = 5000;
const mostKeys = 10_000;

const memories = new WeakMap<Database, Memory>();

function memoryOf(app: App): Memory {
	const known = memories.get(app.database);
	if (known !== undefined && known.counts.size <= mostKeys && known.refusals.size <= mostKeys) return known;
	const fresh = { counts: new Map(), refusals: new Map() };
	memories.set(app.database, fresh);
	return fresh;
}

/** Counts one more of a kind; true beyond `limit` in a quarter of an hour. */
export function isFlood(app: App, key: string, limit: number): boolean {
	const { counts } = memoryOf(app);
	const now = app.clock();
	const known = counts.get(key);
	const window = known !== undefined && now < known.endsAt ? known : { count: 0, endsAt: now + windowMs };
	window.count += 1;
	counts.set(key, window);
	return window.count > limit;
}

/** A limit was used up until `endsAt`: for five seconds the database need not be asked again. */
export function rememberRefusal(app: App, key: string, endsAt: number): void {
	memoryOf(app).refusals.set(key, { endsAt, askAgainAt: Math.min(endsAt, app.clock() + askAgainAfterMs) });
}

/** Until when the limit is used up; undefined when that is not known. */
export function knownRefusal(app: App, key: string): number | undefined {
	const known = memoryOf(app).refusals.get(key);
	return known !== undefined && app.clock() < known.askAgainAt ? known.endsAt : undefined;
}

/** To be called when limits were forgiven. */
export function forgetRefusals(app: App): void {
	memoryOf(app).refusals.clear();
}
