import { redirect } from '@sveltejs/kit';
import { api } from '$lib/api';
import { pathAfterLogin, session } from '$lib/session.svelte';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ url }) => {
	if (session.current !== null) redirect(307, pathAfterLogin(url));
	const { setupRequired } = await api.auth.status.query();
	if (setupRequired) redirect(307, '/setup');
	return { host: url.host, then: pathAfterLogin(url) };
};
