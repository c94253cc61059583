import { api, data, failure } from '$lib/api';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ depends }) => {
	depends(data('policy'));
	const status = await api.policy.status.query();
	return {
		crumbs: [{ label: 'Policy', href: '/policy/review' }, { label: 'Review' }],
		status,
		// A large configuration takes a second: the page stands while it is compared.
		review: Promise.all([
			api.policy.preview.query(),
			api.policy.changes.query({ limit: 100 }),
			api.policy.effects.query({})
		]).then(
			([preview, changes, effects]) => ({ preview, changes, effects, failed: null }),
			(error: unknown) => ({ preview: null, changes: null, effects: null, failed: failure(error) })
		)
	};
};
