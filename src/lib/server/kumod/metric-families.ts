import { unreadListsLabel } from '../core/suppression-format.ts';

/** What is kept of one metric family of KumoMTA (docs/reference/metrics/kumod), whatever its labels are. */
export interface MetricFamily {
	/**
	 * `sum`: one number over all labels. `values`: one number for each of the label values named here, which are KumoMTA's own
	 * roll-ups. `caches`: one for each cache, of which a policy names a few.
	 */
	keep: 'sum' | { values: readonly string[] } | 'caches';
	label?: string;
}

/** Distinct cache names that are kept of a family; the rest are counted nowhere. */
export const maxCaches = 64;

const listener = { keep: { values: ['esmtp_listener', 'http_listener'] }, label: 'service' } as const;
const outgoing = { keep: { values: ['smtp_client'] }, label: 'service' } as const;

/**
 * Everything that the panel reads of `/metrics`. `service` has a roll-up and its parts side by side, which must not be added
 * up; the parts, and anything by queue, grow with what clients send.
 */
export const metricFamilies: ReadonlyMap<string, MetricFamily> = new Map<string, MetricFamily>([
	// A new policy is running once this grows; it falls only when KumoMTA starts anew.
	['lua_load_count', { keep: 'sum' }],
	// Failed look-ups of the policy in its directory, by cache.
	['lruttl_error_count', { keep: 'caches', label: 'cache_name' }],
	// How many look-ups there were, against which the failed ones are judged.
	['lruttl_lookup_count', { keep: 'caches', label: 'cache_name' }],
	// Mail taken in against mail refused: the measure of a policy that refuses too much.
	['total_messages_received', listener],
	['smtp_server_rejections', { keep: { values: ['total'] }, label: 'service' }],
	['total_connections_denied', listener],
	['total_connection_count', { keep: { values: ['esmtp_listener', 'smtp_client'] }, label: 'service' }],
	['connection_count', { keep: { values: ['esmtp_listener', 'smtp_client'] }, label: 'service' }],
	// Mail that left against mail that did not: the measure of sources and paths.
	['total_messages_delivered', outgoing],
	['total_messages_transfail', outgoing],
	['total_messages_fail', outgoing],
	// Recipients that the policy could not look up in the suppression lists: it counts them by starting a timer.
	['user_lua_latency_count', { keep: { values: [unreadListsLabel] }, label: 'label' }],
	// Mail that waits.
	['scheduled_count_total', { keep: 'sum' }],
	['ready_count', { keep: 'sum' }],
	// A source whose address is not on this machine.
	['bind_failures', { keep: 'sum' }]
]);
