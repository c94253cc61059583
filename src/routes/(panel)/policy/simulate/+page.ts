import { api, data } from '$lib/api';
import type { PageLoad } from './$types';

/** The form starts with a sender that exists, so that one click gives an answer. */
export const load: PageLoad = async ({ url, depends }) => {
	depends(data('policy'));
	const [senders, revisions] = await Promise.all([
		api.senders.list.query({ limit: 1 }),
		api.policy.revisions.query({ limit: 50 })
	]);
	return {
		crumbs: [{ label: 'Policy', href: '/policy/review' }, { label: 'Simulate' }],
		sender: url.searchParams.get('as') ?? senders.items[0]?.address ?? '',
		revisions: revisions.items.filter(({ number, canRestore }) => number > 0 && canRestore)
	};
};
