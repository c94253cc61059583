import { redirect } from '@sveltejs/kit';
import { api, data, failure } from '$lib/api';
import type { Failure } from '$lib/api';
import { loginPath, session } from '$lib/session.svelte';
import type { LayoutLoad } from './$types';

export const ssr = false;

/** The frame stands at once: its numbers come when they come, and a number that can't be had does not cost the page. */
export const load: LayoutLoad = ({ depends, url, untrack }) => {
	if (session.current === null) {
		redirect(
			307,
			untrack(() => loginPath(url))
		);
	}
	depends(data('domains'), data('senders'), data('policy'));
	return {
		policy: answerOf(api.policy.status.query()),
		counts: Promise.all([
			answerOf(api.domains.list.query({ limit: 1 })),
			answerOf(api.senders.list.query({ limit: 1 }))
		]).then(([domains, senders]) => ({
			domains: domains.value?.total ?? null,
			senders: senders.value?.total ?? null
		}))
	};
};

type Answer<T> = { value: T; failed: null } | { value: null; failed: Failure };

function answerOf<T>(call: Promise<T>): Promise<Answer<T>> {
	return call.then(
		(value) => ({ value, failed: null }),
		(error: unknown) => ({ value: null, failed: failure(error) })
	);
}
