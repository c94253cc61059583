import { goto, invalidate } from '$app/navigation';
import { createTRPCProxyClient, httpBatchLink, TRPCClientError } from '@trpc/client';
import type { TRPCLink } from '@trpc/client';
import type { inferRouterInputs, inferRouterOutputs } from '@trpc/server';
import { observable } from '@trpc/server/observable';
import type { AppRouter } from '$lib/server/router';
import { loginPath, session } from '$lib/session.svelte';

/** `Outputs['domains']['list']['items'][number]`: what the server answers, as the pages see it. */
export type Outputs = inferRouterOutputs<AppRouter>;
export type Inputs = inferRouterInputs<AppRouter>;

const open = new Set(['auth.status', 'auth.login', 'auth.register']);

/**
 * A session that has ended ends here, once for every call: the browser goes to sign in and keeps the page asked for. Such a
 * call then never settles, because the page that waits for it is being left; so no page flashes an error of its own.
 */
const leaveWhenSignedOut: TRPCLink<AppRouter> =
	() =>
	({ op, next }) =>
		observable((observer) => {
			// Loads run beside the one of the layout that redirects.
			if (session.current === null && !open.has(op.path)) return;
			return next(op).subscribe({
				next: (value) => observer.next(value),
				error: (error) => {
					// A wrong password is UNAUTHORIZED too: only this reason means that the session has ended.
					if ((error.data as ErrorData | null | undefined)?.reason === 'not-signed-in') leave();
					else observer.error(error);
				},
				complete: () => observer.complete()
			});
		});

function leave(): void {
	if (session.current === null) return;
	session.forget();
	void goto(loginPath(new URL(location.href)));
}

export const api = createTRPCProxyClient<AppRouter>({
	links: [
		leaveWhenSignedOut,
		httpBatchLink({
			url: '/trpc',
			// Node refuses a request line with headers over 16 KB; the link splits longer batches.
			maxURLLength: 6000,
			headers: () => (session.current === null ? {} : { authorization: `Bearer ${session.current.token}` })
		})
	]
});

export interface Failure {
	message: string;
	/** tRPC's code, or `NETWORK` when no answer came. */
	code: string;
	reason: string | undefined;
	/** Input path (`listeners.0.port`) to its messages. */
	fieldErrors: Record<string, string[]>;
	problems: unknown[];
	retryAfterMs: number | undefined;
	requestId: string | undefined;
}

interface ErrorData {
	code: string;
	reason?: string;
	fieldErrors?: Record<string, string[]>;
	problems?: unknown[];
	retryAfterMs?: number;
	requestId?: string;
}

/** What went wrong with a call, in the shape of api.md, whatever was thrown. */
export function failure(error: unknown): Failure {
	if (!(error instanceof TRPCClientError)) return bare(messageOf(error), 'CLIENT');
	const { data, message } = error as TRPCClientError<AppRouter>;
	if (!data) {
		return bare(
			'The server did not answer. Nothing is known to have changed. Look at the connection and try again.',
			'NETWORK'
		);
	}
	const { code, reason, fieldErrors, problems, retryAfterMs, requestId } = data as ErrorData;
	return { message, code, reason, fieldErrors: fieldErrors ?? {}, problems: problems ?? [], retryAfterMs, requestId };
}

function bare(message: string, code: string): Failure {
	return {
		message,
		code,
		reason: undefined,
		fieldErrors: {},
		problems: [],
		retryAfterMs: undefined,
		requestId: undefined
	};
}

function messageOf(error: unknown): string {
	return error instanceof Error ? error.message : 'Something unexpected happened in this page. Reload it.';
}

export type Noun =
	| 'auth'
	| 'settings'
	| 'sources'
	| 'pools'
	| 'domains'
	| 'dkim'
	| 'senders'
	| 'bounces'
	| 'imports'
	| 'feedback'
	| 'suppression'
	| 'policy'
	| 'health'
	| 'audit';

/** For `depends()` in a page's load: `depends(data('domains'))`. */
export function data(noun: Noun): `data:${Noun}` {
	return `data:${noun}`;
}

/** After a mutation: loads everything on screen again that depends on these nouns, and the unapplied-changes bar. */
export async function refresh(...nouns: Noun[]): Promise<void> {
	await Promise.all([...new Set<Noun>([...nouns, 'policy'])].map((noun) => invalidate(data(noun))));
}
