import { api, data } from '$lib/api';
import { listQuery } from '$lib/ui/list';
import type { PageLoad } from './$types';

export const load: PageLoad = ({ url, depends }) => {
	depends(data('policy'));
	return {
		crumbs: [{ label: 'Policy', href: '/policy/review' }, { label: 'Golden routes' }],
		list: api.policy.routes.list.query(listQuery(url, ['name']))
	};
};
