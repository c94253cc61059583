import type { RequestHandler } from './$types';

/** Answers while the process runs, whatever its database does; /healthz says whether it can work. */
export const GET: RequestHandler = () => new Response('alive\n', { headers: { 'cache-control': 'no-store' } });
