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
	const between = { ...(liveRevision !== null && { from: liveRevision }), to: number };
	const isOther = revision.canRestore && liveRevision !== number;
	// Of the policy from before the panel only the files are known; beside it everything is new.
	const restore =
		isOther && number > 0
			? Promise.all([api.policy.changes.query(between), api.policy.effects.query(between)]).then(
					([changes, effects]) => ({ changes, effects, failed: null }),
					(problem: unknown) => ({ changes: null, effects: null, failed: failure(problem) })
				)
			: null;
	return {
		crumbs: [
			{ label: 'Policy', href: '/policy/review' },
			{ label: 'Revisions', href: '/policy/revisions' },
			{ label: String(number) }
		],
		revision,
		status,
		between,
		restore
	};
};
