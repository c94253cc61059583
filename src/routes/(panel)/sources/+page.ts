import { api, data } from '$lib/api';
import { listQuery } from '$lib/ui/list';
import type { PageLoad } from './$types';

const sorts = ['name', 'address', 'createdAt'] as const;

export const load: PageLoad = ({ url, depends }) => {
	depends(data('sources'), data('pools'));
	return { crumbs: [{ label: 'Sources and pools' }], list: api.sources.list.query(listQuery(url, sorts)) };
};
