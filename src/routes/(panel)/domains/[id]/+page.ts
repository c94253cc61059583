import { error } from '@sveltejs/kit';
import { api, data, failure } from '$lib/api';
import { rangeOf } from '../../feedback/range';
import type { PageLoad } from './$types';

/** The page shows the first of its senders and bounce accounts; the rest are in their lists. */
const senderCount = 8;

export const load: PageLoad = async ({ params: { id }, depends }) => {
	depends(data('domains'), data('dkim'), data('senders'), data('bounces'), data('sources'), data('settings'));
	const lists = {
		dns: api.domains.dns.query({ id }),
		keys: api.dkim.list.query({ domainId: id, limit: 200 }),
		feedback: api.feedback.counts.query({ by: 'day', ...rangeOf('7d', Date.now()), domainId: id }),
		senders: api.senders.list.query({ domainId: id, limit: senderCount }),
		bounceAccounts: api.bounces.list.query({ domainId: id, limit: senderCount })
	};
	// Handled where they are shown; without this a page that is left early would report them as unhandled.
	for (const list of Object.values(lists)) list.catch(() => undefined);
	const domain = await api.domains.get.query({ id }).catch((problem: unknown) => {
		const { code, message } = failure(problem);
		error(code === 'NOT_FOUND' || code === 'BAD_REQUEST' ? 404 : 500, { message });
	});
	return { crumbs: [{ label: 'Domains', href: '/domains' }, { label: domain.displayName }], domain, ...lists };
};
