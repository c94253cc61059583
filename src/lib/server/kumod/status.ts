import type { z } from 'zod';
import type { App } from '../app.ts';
import type { statusAnswer } from './inputs.ts';

/** What the last poll found; asks nobody, so that a KumoMTA that stalls delays no page. */
export function getStatus({ metrics, env }: Pick<App, 'metrics' | 'env'>): z.infer<typeof statusAnswer> {
	const { state, sinceAt, detail, version, lastSeenAt, restartedAt } = metrics.state();
	return {
		state,
		sinceAt,
		detail: detail ?? null,
		version: version ?? null,
		lastSeenAt: lastSeenAt ?? null,
		restartedAt: restartedAt ?? null,
		isInstalled: env.kumodBin !== undefined
	};
}
