import { api, data } from '$lib/api';
import { listQuery } from '$lib/ui/list';
import type { PageLoad } from './$types';

const sorts = ['address', 'createdAt'] as const;

export const load: PageLoad = ({ url, depends }) => {
	depends(data('bounces'), data('domains'));
	const asked = url.searchParams.get('domain') ?? '';
	// An old or mistyped id shows all accounts rather than an error.
	const domain = /^[a-z0-9]{16}$/.test(asked) ? api.domains.get.query({ id: asked }).catch(() => null) : null;
	const list = Promise.resolve(domain).then((found) =>
		api.bounces.list.query({ ...listQuery(url, sorts), ...(found === null ? {} : { domainId: found.id }) })
	);
	list.catch(() => undefined);
	return { crumbs: [{ label: 'Bounce accounts' }], domain, list };
};
