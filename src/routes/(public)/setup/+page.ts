import { redirect } from '@sveltejs/kit';
import { api } from '$lib/api';
import type { PageLoad } from './$types';

export const load: PageLoad = async () => {
	const { setupRequired } = await api.auth.status.query();
	if (!setupRequired) redirect(307, '/login');
};
