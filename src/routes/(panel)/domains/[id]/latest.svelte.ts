import { failure } from '$lib/api';
import type { Failure } from '$lib/api';

/** The newest answer of a promise that is replaced from time to time; the one before stays on screen until then. */
export class Latest<Value> {
	value: Value | null = $state.raw(null);
	failed: Failure | null = $state.raw(null);

	/** Follows whatever promise `read` answers; for the start of a component. */
	constructor(read: () => Promise<Value>) {
		$effect(() => {
			let isStale = false;
			read().then(
				(value) => {
					if (isStale) return;
					this.value = value;
					this.failed = null;
				},
				(error: unknown) => {
					if (!isStale) this.failed = failure(error);
				}
			);
			return () => (isStale = true);
		});
	}
}
