import { api, data } from '$lib/api';
import type { PageLoad } from './$types';

/** The form starts with a sender that exists, so that one click gives an answer; a link fills it in. */
export const load: PageLoad = async ({ url, depends }) => {
	depends(data('policy'));
	const [senders, revisions] = await Promise.all([
		api.senders.list.query({ limit: 1 }),
		api.policy.revisions.query({ limit: 200 })
	]);
	return {
		crumbs: [{ label: 'Policy', href: '/policy/review' }, { label: 'Simulate' }],
		query: url.search,
		sender: senders.items[0]?.address ?? '',
		revisions: revisions.items.filter(({ number, canRestore }) => number > 0 && canRestore)
	};
};
