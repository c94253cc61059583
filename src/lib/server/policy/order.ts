import type { PolicyHead, PolicyInput, PolicySender } from './input.ts';

/** Code-unit order: the same on every machine, whatever its locale. */
export const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function sorted<T>(items: T[], key: (item: T) => string): T[] {
	return items.toSorted((a, b) => byText(key(a), key(b)));
}

/** The same data in its one order, so that equal data has an equal hash. Listeners keep theirs: they have no key. */
export function inOrder(input: PolicyHead): PolicyHead {
	const kumoNames = new Map(input.sources.map(({ id, kumoName }) => [id, kumoName]));
	return {
		settings: {
			...input.settings,
			relayHosts: input.settings.relayHosts.toSorted(byText),
			relayHostsOverride: input.settings.relayHostsOverride.toSorted(byText),
			monitorGlobs: input.settings.monitorGlobs.toSorted(byText)
		},
		sources: sorted(input.sources, ({ kumoName }) => kumoName),
		pools: sorted(input.pools, ({ name }) => name).map((pool) => ({
			...pool,
			entries: sorted(pool.entries, ({ sourceId }) => kumoNames.get(sourceId) ?? sourceId)
		})),
		domains: sorted(input.domains, ({ name }) => name),
		dkimKeys: sorted(input.dkimKeys, ({ domainId, selector }) => `${domainId} ${selector}`),
		mailboxes: sorted(input.mailboxes, ({ address }) => address),
		tombstones: {
			senders: sorted(input.tombstones.senders, ({ tenant }) => tenant),
			pools: input.tombstones.pools.toSorted(byText)
		}
	};
}

export function sendersInOrder({ senders }: Pick<PolicyInput, 'senders'>): PolicySender[] {
	return sorted(senders, ({ address }) => address);
}
