import type { Credential } from './http.ts';
import { KumodError } from './http.ts';
import type { Kumod, Machine } from './client.ts';
import { readSnapshot } from './metrics-scan.ts';

/** What KumoMTA counted at one moment: few numbers, whatever the number of its queues. */
export interface MetricsSnapshot {
	/** Milliseconds since 1970 UTC. */
	at: number;
	/** By the name of the metric, or `name{value of the chosen label}` as in `total_messages_received{esmtp_listener}`. */
	sums: ReadonlyMap<string, number>;
	/** `lua_load_count`; undefined while KumoMTA has not counted yet. */
	loads: number | undefined;
}

/** `never`: not since the panel started. `refusing`: it answers, but not to this panel (HTTP 401 or 403). */
export interface KumodState {
	state: 'never' | 'answering' | 'away' | 'refusing';
	/** Since when; of `never`, when the panel started. */
	sinceAt: number;
	/** Why, in words. */
	detail?: string;
	version?: string;
	/** When something was heard of it last, be it a refusal. */
	lastSeenAt?: number;
	/** When it was noticed that the process is a new one. */
	restartedAt?: number;
}

export interface MetricsCache {
	latest(): MetricsSnapshot | null;
	/** Of the last 15 minutes, oldest first. */
	snapshots(): readonly MetricsSnapshot[];
	state(): KumodState;
	/** Asks KumoMTA once; never rejects because of it. A call while another runs waits for that one. */
	poll(credential?: Credential): Promise<void>;
	/** Ends a poll that runs, and every later one. */
	close(): void;
}

export const ringMs = 15 * 60_000;
/** Polls come every 10 s; more often only while somebody watches. */
const maxSnapshots = 360;

export function createMetricsCache(kumod: Kumod, clock: () => number): MetricsCache {
	const ring: MetricsSnapshot[] = [];
	const ending = new AbortController();
	let state: KumodState = { state: 'never', sinceAt: clock() };
	let running: Promise<void> | undefined;
	let machine: Machine | undefined;

	function keep(snapshot: MetricsSnapshot): void {
		// A clock that was set back leaves no order behind.
		while (ring.length > 0 && (ring.at(-1)?.at ?? 0) >= snapshot.at) ring.pop();
		ring.push(snapshot);
		while (ring.length > maxSnapshots || (ring[0]?.at ?? 0) < snapshot.at - ringMs) ring.shift();
	}

	async function ask(credential: Credential | undefined): Promise<void> {
		try {
			const counted = await readSnapshot(kumod.streamMetrics(credential, ending.signal));
			const at = clock();
			const said = await readMachine(kumod, credential);
			const isAnew = isRestart({ loads: ring.at(-1)?.loads, machine }, { loads: counted.loads, machine: said });
			machine = said ?? machine;
			keep({ at, ...counted });
			const version = machine && { version: machine.version };
			state = { ...enter(state, 'answering', at), lastSeenAt: at, ...version, ...(isAnew && { restartedAt: at }) };
		} catch (error) {
			if (!(error instanceof KumodError)) throw error;
			if (ending.signal.aborted) return;
			state = afterFailure(state, error, clock());
		}
	}

	return {
		latest: () => ring.at(-1) ?? null,
		snapshots: () => ring,
		state: () => ({ ...state }),
		poll(credential) {
			if (ending.signal.aborted) return Promise.resolve();
			running ??= ask(credential).finally(() => (running = undefined));
			return running;
		},
		close: () => ending.abort()
	};
}

/** The same state goes on since it began. */
function enter(state: KumodState, next: KumodState['state'], at: number, detail?: string): KumodState {
	const { detail: _old, ...rest } = state;
	const sinceAt = state.state === next ? state.sinceAt : at;
	return { ...rest, state: next, sinceAt, ...(detail !== undefined && { detail }) };
}

function afterFailure(state: KumodState, error: KumodError, at: number): KumodState {
	if (error.status === 401 || error.status === 403)
		return { ...enter(state, 'refusing', at, error.message), lastSeenAt: at };
	const seen = error.isReached ? { lastSeenAt: at } : {};
	return { ...enter(state, state.state === 'never' ? 'never' : 'away', at, error.message), ...seen };
}

/** Without it everything else still holds. */
async function readMachine(kumod: Kumod, credential: Credential | undefined): Promise<Machine | undefined> {
	try {
		return await kumod.getMachine(credential);
	} catch (error) {
		if (error instanceof KumodError) return undefined;
		throw error;
	}
}

/** `lua_load_count` lives as long as the process does, so it falls only with it; its start is said by machine-info too. */
function isRestart(
	before: { loads: number | undefined; machine: Machine | undefined },
	now: { loads: number | undefined; machine: Machine | undefined }
): boolean {
	const hasFallen = before.loads !== undefined && now.loads !== undefined && now.loads < before.loads;
	const { machine: was } = before;
	return hasFallen || (was !== undefined && now.machine !== undefined && now.machine.onlineSince !== was.onlineSince);
}

/**
 * How much a counter grew between two moments. KumoMTA forgets the counters of what idles (docs/reference/metrics), and all
 * of them when it starts anew: one that vanished or fell began again at 0.
 * @returns null where nothing can be said: fewer than two snapshots lie there, or none of them has this counter.
 */
export function increase(
	cache: Pick<MetricsCache, 'snapshots'>,
	name: string,
	fromAt: number,
	toAt: number
): number | null {
	const until = cache.snapshots().filter(({ at }) => at <= toAt);
	const first = Math.max(
		0,
		until.findLastIndex(({ at }) => at <= fromAt)
	);
	const used = until.slice(first);
	if (used.length < 2 || !used.some(({ sums }) => sums.has(name))) return null;
	let grown = 0;
	let before: number | undefined;
	for (const { sums } of used) {
		const now = sums.get(name) ?? 0;
		if (before !== undefined) grown += now >= before ? now - before : now;
		before = now;
	}
	return grown;
}
