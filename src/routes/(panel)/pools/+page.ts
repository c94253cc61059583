import { api, data } from '$lib/api';
import { listQuery } from '$lib/ui/list';
import type { PageLoad } from './$types';

const sorts = ['name', 'createdAt'] as const;

export const load: PageLoad = ({ url, depends }) => {
	depends(data('pools'), data('sources'));
	return {
		crumbs: [{ label: 'Sources and pools', href: '/sources' }, { label: 'Pools' }],
		list: api.pools.list.query(listQuery(url, sorts))
	};
};
