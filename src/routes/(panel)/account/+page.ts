import { api, data } from '$lib/api';
import type { PageLoad } from './$types';

export const load: PageLoad = ({ depends }) => {
	depends(data('auth'));
	return { crumbs: [{ label: 'Account' }], sessions: api.auth.sessions.list.query({}) };
};
