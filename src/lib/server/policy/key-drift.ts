import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { App } from '../app.ts';
import type { Host } from '../host/host.ts';
import { knownState } from './applier/state.ts';
import { readKeys } from './directory.ts';
import type { RevisionKey } from './directory.ts';
import type { Drift } from './drift.ts';
import type { Live } from './live.ts';
import { policyAccess } from './roots.ts';
import type { PolicyRoots } from './roots.ts';

/** Key files of the live revision that are missing, hold another key, or may be read by others. Never their text. */
export async function findKeyDrift(host: Host, roots: PolicyRoots, live: Live): Promise<Drift[]> {
	if (live.kind !== 'ours' && live.kind !== 'edited') return [];
	const drift: Drift[] = [];
	let seen = 0;
	try {
		for (const key of readKeys(join(roots.revisions, live.revision, 'directory.sqlite'))) {
			const what = await stateOf(host, roots, key);
			const path = join('dkim', key.domain, `${key.selector}.key`);
			if (what !== undefined) drift.push({ path, what, needsOverwrite: false });
			if (++seen % 200 === 0) await nextTurn();
		}
	} catch {
		// A directory.sqlite that cannot be read is drift itself; which keys it named is not known then.
		return drift;
	}
	return drift;
}

async function stateOf(
	host: Host,
	roots: PolicyRoots,
	{ domain, selector, hash }: RevisionKey
): Promise<Drift['what'] | undefined> {
	const path = join(roots.dkim, domain, `${selector}.key`);
	const state = await host.files.stat(path);
	if (state === undefined) return 'missing';
	if (state.kind !== 'file') return 'changed';
	const { owner } = policyAccess(host).key;
	if ((state.mode & 0o077) !== 0 || (owner !== undefined && state.uid !== owner.uid)) return 'access';
	const found = await host.files.hashOf(path).catch(() => undefined);
	return found === hash ? undefined : 'changed';
}

export const isKey = ({ path }: Pick<Drift, 'path'>) => path.startsWith('dkim/');

const staleAfterMs = 30_000;
interface Looked {
	revision: string;
	at: number;
	drift: Drift[];
}
const looked = new WeakMap<App['database'], { last?: Looked; running?: Promise<Drift[]> }>();

/** Looks now, and remembers it for the status. */
export async function lookAtKeys(app: App, roots: PolicyRoots, live: Live): Promise<Drift[]> {
	if (app.env.applier !== undefined) return ((await knownState(app))?.drift ?? []).filter(isKey);
	const drift = await findKeyDrift(app.host, roots, live);
	if ('revision' in live) memoryOf(app).last = { revision: live.revision, at: app.clock(), drift };
	return drift;
}

/**
 * What the last look saw, for an answer that must not cost a look at 10,000 files: one that is older than 30 seconds
 * begins anew and is awaited for `waitMs` at most.
 */
export async function knownKeyDrift(app: App, roots: PolicyRoots, live: Live, waitMs: number): Promise<Drift[]> {
	if (!('revision' in live)) return [];
	if (app.env.applier !== undefined) return lookAtKeys(app, roots, live);
	const memory = memoryOf(app);
	const isFresh = ({ revision, at }: Looked) => revision === live.revision && app.clock() - at < staleAfterMs;
	if (memory.last !== undefined && isFresh(memory.last)) return memory.last.drift;
	memory.running ??= lookAtKeys(app, roots, live).finally(() => delete memory.running);
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), waitMs)));
	const drift = await Promise.race([memory.running, late]);
	clearTimeout(timer);
	return drift ?? (memory.last?.revision === live.revision ? memory.last.drift : []);
}

function memoryOf(app: App) {
	let memory = looked.get(app.database);
	if (memory === undefined) looked.set(app.database, (memory = {}));
	return memory;
}
