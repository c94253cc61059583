import type { Db } from '../core/database.ts';

interface RunningApply {
	stop: AbortController;
	ended: Promise<unknown>;
}

/** The applies of this process, by the database they write to. */
const running = new WeakMap<Db, Set<RunningApply>>();

/** Registers an apply, so that a server that stops can end its watch. */
export function trackApply<T>(db: Db, stop: AbortController, ended: Promise<T>): Promise<T> {
	const all = running.get(db) ?? new Set();
	running.set(db, all);
	const one: RunningApply = { stop, ended };
	all.add(one);
	return ended.finally(() => all.delete(one));
}

/** Breaks off every watch of this process and waits until their records are written, at most `limitMs`. */
export async function stopWatches(db: Db, limitMs = 4000): Promise<void> {
	const all = [...(running.get(db) ?? [])];
	for (const { stop } of all) stop.abort();
	if (all.length === 0) return;
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, limitMs)));
	await Promise.race([Promise.allSettled(all.map(({ ended }) => ended)), late]);
	clearTimeout(timer);
}
