import { error } from '@sveltejs/kit';
import { api, data, failure } from '$lib/api';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ params, depends }) => {
	depends(data('policy'));
	const number = Number(params.number);
	if (!/^\d{1,9}$/.test(params.number)) error(404, { message: 'There is no such revision.' });
	const [revision, status] = await Promise.all([
		api.policy.revision
			.query({ number })
			.catch((problem: unknown) => error(404, { message: failure(problem).message })),
		api.policy.status.query()
	]);
	const { liveRevision } = status;
	const differences =
		revision.canRestore && number > 0 && liveRevision !== null && liveRevision > 0 && liveRevision !== number
			? api.policy.changes.query({ from: liveRevision, to: number }).catch(() => null)
			: null;
	return {
		crumbs: [
			{ label: 'Policy', href: '/policy/review' },
			{ label: 'Revisions', href: '/policy/revisions' },
			{ label: String(number) }
		],
		revision,
		status,
		differences
	};
};
