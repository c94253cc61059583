import type { Outputs } from '$lib/api';

type Change = Outputs['policy']['changes']['items'][number];

/** Changes below the domain that they belong to, in their order; null: what belongs to the server. */
export function byDomain(changes: readonly Change[]): [domain: string | null, changes: Change[]][] {
	const groups = new Map<string | null, Change[]>();
	for (const change of changes) {
		const domain = change.domain ?? null;
		const known = groups.get(domain);
		if (known) known.push(change);
		else groups.set(domain, [change]);
	}
	return [...groups];
}
