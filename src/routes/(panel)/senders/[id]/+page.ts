import { error } from '@sveltejs/kit';
import { api, data, failure } from '$lib/api';
import { rangeOf } from '../../feedback/range';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ params: { id }, depends }) => {
	depends(data('senders'), data('pools'), data('domains'), data('settings'));
	const more = Promise.all([api.pools.list.query({ limit: 200 }), api.settings.get.query()]);
	more.catch(() => undefined);
	const feedback = api.feedback.counts.query({ by: 'day', ...rangeOf('7d', Date.now()), senderId: id });
	feedback.catch(() => undefined);
	const sender = await api.senders.get.query({ id }).catch((problem: unknown) => {
		const { code, message } = failure(problem);
		error(code === 'NOT_FOUND' || code === 'BAD_REQUEST' ? 404 : 500, { message });
	});
	return { crumbs: [{ label: 'Senders', href: '/senders' }, { label: sender.displayName }], sender, more, feedback };
};
