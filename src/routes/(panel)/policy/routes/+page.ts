import { api, data } from '$lib/api';
import { listQuery } from '$lib/ui/list';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ url, depends }) => {
	depends(data('policy'));
	const list = api.policy.routes.list.query(listQuery(url, ['name']));
	const { items } = await api.policy.revisions.query({ limit: 200 });
	return {
		crumbs: [{ label: 'Policy', href: '/policy/review' }, { label: 'Golden routes' }],
		list,
		revisions: items.filter(({ number, canRestore }) => number > 0 && canRestore)
	};
};
