import { z } from 'zod';
import { drift } from './inputs.ts';
import { fileChangesAnswer } from './review-inputs.ts';

export const driftAnswer = z.object({
	/** The live one; null where none of ours is. */
	revision: z.int().nullable(),
	total: z.int(),
	/** The first 200. */
	items: z.array(
		z.object({
			...drift.shape,
			/** What it means for the running KumoMTA. */
			now: z.string(),
			/** What an apply will do about it. */
			then: z.string()
		})
	)
});

/** A path that `policy.drift` names. */
export const driftFile = z.strictObject({ path: z.string().min(1).max(600), cursor: z.string().max(1000).optional() });
export const driftFileAnswer = z.object({
	...fileChangesAnswer.shape,
	/** Of a database, what its rows have other; null for a text. */
	rows: z
		.object({ added: z.int(), removed: z.int(), changed: z.int(), total: z.int(), rows: z.array(z.string()) })
		.nullable()
});
