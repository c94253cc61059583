import { api, data } from '$lib/api';
import { listQuery } from '$lib/ui/list';
import { rangeOf } from './range';
import type { PageLoad } from './$types';

export const load: PageLoad = ({ url, depends }) => {
	depends(data('feedback'), data('domains'));
	const parameters = url.searchParams;
	const text = (name: string, key = name) => (parameters.get(name) ? { [key]: parameters.get(name) ?? '' } : {});
	const day = (name: string, addMs: number) => {
		const at = Date.parse(`${parameters.get(name) ?? ''}T00:00`);
		return Number.isNaN(at) ? {} : { [name]: Math.max(0, at + addMs) };
	};
	const owner = { ...text('domain', 'domainId'), ...text('sender', 'senderId') };
	const filters = { ...text('kind'), ...text('class'), ...text('recipient') } as { kind?: 'bounce' };
	const domain = parameters.get('domain');
	const lists = {
		state: api.feedback.state.query(),
		counts: api.feedback.counts.query({ by: 'hour', ...rangeOf(parameters.get('range'), Date.now()), ...owner }),
		list: api.feedback.list.query({
			...listQuery(url, ['at']),
			...filters,
			...owner,
			...day('from', 0),
			...day('to', 86_400_000 - 1)
		}),
		domain: domain === null ? null : api.domains.get.query({ id: domain }).catch(() => null)
	};
	// Handled where they are shown; without this a page that is left early would report them as unhandled.
	for (const each of [lists.state, lists.counts, lists.list]) each.catch(() => undefined);
	return { crumbs: [{ label: 'Feedback' }], ...lists };
};
