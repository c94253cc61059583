import { api, data } from '$lib/api';
import type { PageLoad } from './$types';

export const load: PageLoad = ({ depends }) => {
	depends(data('health'));
	return { crumbs: [{ label: 'Security and health' }], health: api.health.list.query() };
};
