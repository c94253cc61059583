import { z } from 'zod';
import { listInput, pageOf } from '../core/paging.ts';

export const listAudit = z
	.strictObject({
		...listInput(['at']),
		actor: z.string().max(254).optional(),
		action: z.string().max(64).optional(),
		target: z.string().max(64).optional(),
		outcome: z.string().max(32).optional(),
		from: z.int().min(0).optional(),
		to: z.int().min(0).optional()
	})
	.prefault({});

export const auditEntry = z.object({
	id: z.string(),
	at: z.int(),
	actor: z.string(),
	actorName: z.string(),
	action: z.string(),
	target: z.string().nullable(),
	address: z.string().nullable(),
	requestId: z.string(),
	outcome: z.string(),
	reason: z.string().nullable(),
	input: z.unknown(),
	finishedAt: z.int().nullable()
});

export const auditPage = pageOf(auditEntry);
