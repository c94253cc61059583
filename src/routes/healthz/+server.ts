import type { RequestHandler } from './$types';

/** Answers 200 while the panel can reach its database. Says nothing about KumoMTA: a broken panel never stops mail. */
export const GET: RequestHandler = async ({ locals }) => {
	try {
		await locals.app.database.client.execute('SELECT 1');
		return Response.json({ status: 'ok' }, { headers: { 'cache-control': 'no-store' } });
	} catch (error) {
		locals.app.log.error('health check failed', { error });
		return Response.json({ status: 'database unavailable' }, { status: 503, headers: { 'cache-control': 'no-store' } });
	}
};
