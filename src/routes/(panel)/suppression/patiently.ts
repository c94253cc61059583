import { failure } from '$lib/api';

const patience = 20;

/** Calls again when the server asks for a pause: a long list is more calls than a minute allows. */
export async function patiently<T>(call: () => Promise<T>): Promise<T> {
	for (let tries = 1; ; tries += 1) {
		try {
			return await call();
		} catch (error) {
			const { retryAfterMs } = failure(error);
			if (retryAfterMs === undefined || tries === patience) throw error;
			await new Promise((resolve) => setTimeout(resolve, retryAfterMs));
		}
	}
}
