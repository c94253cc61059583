import { api } from '$lib/api';
import type { Outputs } from '$lib/api';

export type LiveState = 'live' | 'waits' | 'off' | 'waits-off';

/** Whether the running KumoMTA takes mail for an account: it does as the next apply would, unless that would change it. */
export async function liveStateOf({
	id,
	address,
	enabled
}: Pick<Outputs['bounces']['get'], 'id' | 'address' | 'enabled'>): Promise<LiveState> {
	const { items } = await api.policy.changes.query({
		scope: 'bounce-account',
		search: address.slice(0, 100),
		limit: 20
	});
	const change = items.find((each) => each.id === id || each.subject === address);
	if (change === undefined || change.kind === 'changed') return enabled ? 'live' : 'off';
	return change.kind === 'added' ? 'waits' : 'waits-off';
}
