import { api, data } from '$lib/api';
import { listQuery } from '$lib/ui/list';
import type { PageLoad } from './$types';

const sorts = ['name', 'createdAt'] as const;

export const load: PageLoad = ({ url, depends }) => {
	depends(data('domains'), data('dkim'), data('senders'));
	return { crumbs: [{ label: 'Domains' }], list: api.domains.list.query(listQuery(url, sorts)) };
};
