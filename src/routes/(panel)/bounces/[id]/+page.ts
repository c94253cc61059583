import { error } from '@sveltejs/kit';
import { api, data, failure } from '$lib/api';
import { liveStateOf } from './live-state';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ params: { id }, depends }) => {
	depends(data('bounces'), data('domains'), data('settings'), data('policy'));
	const connection = api.bounces.connection.query();
	connection.catch(() => undefined);
	const account = await api.bounces.get.query({ id }).catch((problem: unknown) => {
		const { code, message } = failure(problem);
		error(code === 'NOT_FOUND' || code === 'BAD_REQUEST' ? 404 : 500, { message });
	});
	const live = liveStateOf(account);
	live.catch(() => undefined);
	const crumbs = [{ label: 'Bounce accounts', href: '/bounces' }, { label: account.displayName }];
	return { crumbs, account, connection, live };
};
