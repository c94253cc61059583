import { api, data } from '$lib/api';
import { listQuery } from '$lib/ui/list';
import type { PageLoad } from './$types';

export const load: PageLoad = ({ url, depends }) => {
	depends(data('audit'));
	const parameters = url.searchParams;
	const filters = Object.fromEntries(
		['actor', 'action', 'target', 'outcome'].flatMap((name) =>
			parameters.get(name) ? [[name, parameters.get(name)]] : []
		)
	);
	const day = (name: string, addDays: number) => {
		const at = Date.parse(`${parameters.get(name) ?? ''}T00:00`);
		return Number.isNaN(at) ? {} : { [name]: at + addDays * 86_400_000 };
	};
	return {
		crumbs: [{ label: 'Audit' }],
		list: api.audit.list.query({ ...listQuery(url, ['at']), ...filters, ...day('from', 0), ...day('to', 1) })
	};
};
