import { api, data } from '$lib/api';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ depends }) => {
	depends(data('settings'), data('pools'));
	const [settings, pools] = await Promise.all([api.settings.get.query(), api.pools.list.query({ limit: 200 })]);
	return { settings, pools: pools.items.map(({ id, name }) => ({ id, name })) };
};
