import { api, data, failure } from '$lib/api';
import { endIn } from '../ends';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ url, depends }) => {
	depends(data('policy'));
	const [from, to] = [endIn(url.searchParams.get('from')), endIn(url.searchParams.get('to'))];
	const between = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
	const [status, list] = await Promise.all([api.policy.status.query(), api.policy.revisions.query({ limit: 200 })]);
	// Of the policy from before the panel only the files are known.
	const isWorded = from !== 0 && to !== 0;
	return {
		crumbs: [
			{ label: 'Policy', href: '/policy/review' },
			{ label: 'Revisions', href: '/policy/revisions' },
			{ label: 'Compare' }
		],
		between,
		status,
		revisions: list.items.filter(({ canRestore }) => canRestore),
		answer: isWorded
			? Promise.all([api.policy.changes.query({ ...between, limit: 100 }), api.policy.effects.query(between)]).then(
					([changes, effects]) => ({ changes, effects, failed: null }),
					(error: unknown) => ({ changes: null, effects: null, failed: failure(error) })
				)
			: null
	};
};
