import type { Credential } from '../kumod/http.ts';
import type { Before, Counters } from './watch-judge.ts';
import { counterNames, growthOf } from './watch-judge.ts';

/** KumoMTA's counters as the panel's poller keeps them. */
export interface MetricsSource {
	latest(): MetricsSnapshot | null;
	/** Those of the last quarter of an hour, the oldest first. */
	snapshots(): readonly MetricsSnapshot[];
	poll(credential?: Credential): Promise<void>;
}

interface MetricsSnapshot {
	/** Milliseconds since 1970 UTC. */
	at: number;
	sums: ReadonlyMap<string, number>;
}

/**
 * The roll-ups of KumoMTA's metrics; their parts are not added to them. `lruttl_error_count` counts failed fills of a
 * memoized look-up, by cache; the caches of this panel's program begin with `kumomta_ui_`.
 */
const sumsOf: Record<(typeof counterNames)[number], (key: string) => boolean> = {
	received: oneOf('total_messages_received', ['esmtp_listener', 'http_listener']),
	rejected: oneOf('smtp_server_rejections', ['total']),
	delivered: oneOf('total_messages_delivered', ['smtp_client']),
	deferred: oneOf('total_messages_transfail', ['smtp_client']),
	failed: oneOf('total_messages_fail', ['smtp_client']),
	cacheErrors: (key) => key.startsWith('lruttl_error_count{kumomta_ui_')
};

function oneOf(metric: string, labels: string[]): (key: string) => boolean {
	const keys = new Set(labels.map((label) => `${metric}{${label}}`));
	return (key) => keys.has(key);
}

export function countersOf({ sums }: MetricsSnapshot): Counters {
	const counters: Counters = {};
	for (const [key, value] of sums)
		for (const name of counterNames) if (sumsOf[name](key)) counters[name] = (counters[name] ?? 0) + value;
	return counters;
}

/** What was counted in the quarter of an hour up to now. */
export function countedBefore(source: MetricsSource | undefined): Before | undefined {
	const snapshots = source?.snapshots() ?? [];
	const [first, last] = [snapshots[0], snapshots.at(-1)];
	if (first === undefined || last === undefined || first === last) return undefined;
	const all = snapshots.map(countersOf);
	const growth = Object.fromEntries(
		counterNames.flatMap((name) => {
			const grown = growthOf(all, name);
			return grown === undefined ? [] : [[name, grown]];
		})
	) as Counters;
	return { spanMs: Math.max(1, last.at - first.at), growth };
}
