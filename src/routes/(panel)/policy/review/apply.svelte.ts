import { api, failure, refresh } from '$lib/api';
import type { Failure, Inputs } from '$lib/api';
import type { Progress } from '../steps';

const pollMs = 500;

/** One apply as this page sees it: started here or found running, followed until it ends. */
export class ApplyWatch {
	progress = $state.raw<Progress | null>(null);
	failed = $state.raw<Failure | null>(null);
	isBusy = $state(false);

	/** Follows an apply that somebody else started, or that an earlier visit did. */
	async follow(applyId: string): Promise<void> {
		if (this.isBusy) return;
		this.isBusy = true;
		await this.#until(() => api.policy.progress.query({ applyId }));
		this.isBusy = false;
		await refresh('policy', 'audit');
	}

	async apply(input: Inputs['policy']['apply']): Promise<void> {
		if (this.isBusy) return;
		this.isBusy = true;
		this.failed = null;
		let isAnswered = false;
		try {
			const answer = api.policy.apply.mutate(input).finally(() => (isAnswered = true));
			void this.#watch(() => isAnswered);
			const { applyId } = await answer;
			await this.#until(() => api.policy.progress.query({ applyId }));
		} catch (error) {
			this.failed = failure(error);
			this.progress = null;
		}
		this.isBusy = false;
		await refresh('policy', 'audit');
	}

	/** Once the revision is live, what the page says of the live one has to follow. */
	#show(progress: Progress): void {
		const isNewlyLive = progress.watch !== null && (this.progress?.watch ?? null) === null;
		this.progress = progress;
		if (isNewlyLive && progress.outcome === 'running') void refresh('policy');
	}

	/** The call answers when the apply ends; until then its steps are found through the status. */
	async #watch(isOver: () => boolean): Promise<void> {
		while (!isOver()) {
			await sleep(pollMs);
			const { runningApplyId } = await api.policy.status.query().catch(() => ({ runningApplyId: null }));
			if (runningApplyId === null || isOver()) continue;
			const progress = await api.policy.progress.query({ applyId: runningApplyId }).catch(() => null);
			if (progress !== null && !isOver()) this.#show(progress);
		}
	}

	async #until(read: () => Promise<Progress>): Promise<void> {
		for (;;) {
			try {
				this.#show(await read());
				if (this.progress?.outcome !== 'running') return;
			} catch (error) {
				this.failed = failure(error);
				return;
			}
			await sleep(pollMs);
		}
	}
}

function sleep(ms: number): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, ms));
}
