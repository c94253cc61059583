import { api, data, failure } from '$lib/api';
import type { PageLoad } from './$types';

/** Without a number: the live revision on the left, what an apply would make on the right. */
const numberIn = (text: string | null) => (text !== null && /^\d{1,9}$/.test(text) ? Number(text) : undefined);

export const load: PageLoad = async ({ url, depends }) => {
	depends(data('policy'));
	const [from, to] = [numberIn(url.searchParams.get('from')), numberIn(url.searchParams.get('to'))];
	const between = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
	const [status, list] = await Promise.all([api.policy.status.query(), api.policy.revisions.query({ limit: 200 })]);
	return {
		crumbs: [
			{ label: 'Policy', href: '/policy/review' },
			{ label: 'Revisions', href: '/policy/revisions' },
			{ label: 'Compare' }
		],
		between,
		status,
		revisions: list.items.filter(({ number, canRestore }) => number > 0 && canRestore),
		answer: Promise.all([api.policy.changes.query({ ...between, limit: 100 }), api.policy.effects.query(between)]).then(
			([changes, effects]) => ({ changes, effects, failed: null }),
			(error: unknown) => ({ changes: null, effects: null, failed: failure(error) })
		)
	};
};
