import { z } from 'zod';

/**
 * The endpoints that the panel calls (docs/reference/http/kumod), and what it reads of their JSON. All other answers are
 * plain text.
 */
export const endpoints = {
	liveness: { method: 'GET', path: '/api/check-liveness/v1' },
	bumpConfigEpoch: { method: 'POST', path: '/api/admin/bump-config-epoch' },
	machineInfo: {
		method: 'GET',
		path: '/api/machine-info',
		answer: z.object({ version: z.string().min(1).max(100), online_since: z.string().min(1).max(100) })
	},
	metrics: { method: 'GET', path: '/metrics' }
} as const;
