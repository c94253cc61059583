import type { RequestHandler } from './$types';

/** Who asks waits seconds, not for the whole time that a libSQL server has for an answer. */
const waitMs = 5000;

/** Answers 200 while the panel can reach its database. Says nothing about KumoMTA: a broken panel never stops mail. */
export const GET: RequestHandler = async ({ locals }) => {
	try {
		await inTime(locals.app.database.client.execute('SELECT 1'));
		return Response.json({ status: 'ok' }, { headers: { 'cache-control': 'no-store' } });
	} catch (error) {
		locals.app.log.error('health check failed', { error });
		return Response.json({ status: 'database unavailable' }, { status: 503, headers: { 'cache-control': 'no-store' } });
	}
};

async function inTime(answer: Promise<unknown>): Promise<void> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<never>((_, reject) => {
		timer = setTimeout(() => reject(new Error(`The database did not answer in ${waitMs} ms.`)), waitMs);
	});
	await Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
