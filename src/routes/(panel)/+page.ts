import { api, data } from '$lib/api';
import type { PageLoad } from './$types';

export const load: PageLoad = ({ depends }) => {
	depends(
		data('settings'),
		data('sources'),
		data('pools'),
		data('domains'),
		data('dkim'),
		data('senders'),
		data('health')
	);
	const overview = readOverview();
	return {
		crumbs: [{ label: 'Overview' }],
		overview,
		/** How many checks of the server failed. What is not known yet is not an error here. */
		failedChecks: api.health.list.query().then(
			({ counts }) => counts.failed,
			() => 0
		),
		// Asks name servers: the page does not wait for it, and no answer is not an error here.
		dns: overview.then(({ domain }) => (domain === null ? null : readDns(domain.id)))
	};
};

async function readOverview() {
	const [settings, sources, pools, domains, senders] = await Promise.all([
		api.settings.get.query(),
		api.sources.list.query({ limit: 1 }),
		api.pools.list.query({ limit: 1 }),
		api.domains.list.query({ limit: 1, sort: { by: 'createdAt', dir: 'asc' } }),
		api.senders.list.query({ limit: 1 })
	]);
	return {
		hostname: settings.hostname,
		sources: sources.total,
		pools: pools.total,
		domains: domains.total,
		senders: senders.total,
		domain: domains.items[0] ?? null
	};
}

function readDns(id: string) {
	return api.domains.checkDns.query({ id }).then(
		({ records }) => ({ right: records.filter(({ status }) => status === 'ok').length, of: records.length }),
		() => null
	);
}
