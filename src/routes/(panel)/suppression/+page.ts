import { api, data } from '$lib/api';
import type { Inputs } from '$lib/api';
import { listQuery } from '$lib/ui/list';
import { reasonOf } from './words';
import type { PageLoad } from './$types';

const sorts = ['address', 'createdAt'] as const;

export const load: PageLoad = ({ url, depends }) => {
	depends(data('suppression'), data('domains'));
	const asked = url.searchParams.get('domain') ?? '';
	// An old or mistyped id shows all lists rather than an error.
	const domain = /^[a-z0-9]{16}$/.test(asked) ? api.domains.get.query({ id: asked }).catch(() => null) : null;
	const reason = reasonOf(url.searchParams.get('reason'));
	const isGlobal = url.searchParams.get('list') === 'global';
	const list = Promise.resolve(domain).then((found) => {
		const filters: Inputs['suppression']['list'] = {
			...listQuery(url, sorts),
			...(reason === undefined ? {} : { reason }),
			...(isGlobal ? { domainId: null } : found === null ? {} : { domainId: found.id })
		};
		return api.suppression.list.query(filters);
	});
	const files = api.suppression.state.query();
	const rules = api.suppression.rules.get.query();
	for (const each of [list, files, rules]) each.catch(() => undefined);
	return { crumbs: [{ label: 'Suppression list' }], domain, isGlobal, reason, list, files, rules };
};
