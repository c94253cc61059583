import { error } from '@sveltejs/kit';
import { api, data, failure } from '$lib/api';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ params: { id }, url, depends }) => {
	depends(data('imports'));
	const only: 'all' | 'errors' = url.searchParams.get('only') === 'errors' ? 'errors' : 'all';
	const cursor = url.searchParams.get('cursor');
	const preview = await api.imports.preview
		.query({ id, only, ...(cursor === null ? {} : { cursor }) })
		.catch((problem: unknown) => {
			const { code, message } = failure(problem);
			error(code === 'NOT_FOUND' || code === 'BAD_REQUEST' ? 404 : 500, { message });
		});
	return {
		crumbs: [{ label: 'Import', href: '/imports' }, { label: preview.committed ? 'Result' : 'Preview' }],
		preview,
		only
	};
};
