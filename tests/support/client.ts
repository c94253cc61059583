import { createTRPCProxyClient, httpBatchLink } from '@trpc/client';
import type { AppRouter } from '../../src/lib/server/router.ts';

/** A typed client as another company would write it from the contract. */
export function createClient(url: string, token?: string) {
	return createTRPCProxyClient<AppRouter>({
		links: [
			httpBatchLink({
				url: `${url}/trpc`,
				maxURLLength: 6000,
				headers: () => (token === undefined ? {} : { authorization: `Bearer ${token}` })
			})
		]
	});
}
