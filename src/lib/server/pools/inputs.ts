import { z } from 'zod';
import { itemId, seenVersion } from '../core/inputs.ts';
import { listInput, pageOf } from '../core/paging.ts';

export const listPools = z.strictObject(listInput(['name', 'createdAt'])).prefault({});

/** The alphabet that KumoMTA's queue names and metrics survive; `unspecified` is its own built-in pool. */
const poolName = z
	.string()
	.trim()
	.regex(
		/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
		'Letters, digits, dots, dashes and underscores, at most 64, a letter or digit first.'
	)
	.refine((name) => name.toLowerCase() !== 'unspecified', 'KumoMTA keeps this name for itself. Choose another.');

/** Weights share out the mail; 0 keeps a source in the pool without using it. */
const members = z
	.array(
		z.strictObject({
			sourceId: itemId,
			weight: z.int('A weight is a whole number.').min(0, 'From 0 to 100.').max(100, 'From 0 to 100.')
		})
	)
	.max(1000, 'At most 1000 sources.')
	.superRefine((sources, context) => {
		const seen = new Set<string>();
		for (const [index, { sourceId }] of sources.entries()) {
			if (seen.has(sourceId))
				context.addIssue({ code: 'custom', path: [index, 'sourceId'], message: 'This source is in the list twice.' });
			seen.add(sourceId);
		}
		if (!sources.some(({ weight }) => weight > 0))
			context.addIssue({ code: 'custom', message: 'At least one source needs a weight above 0.' });
	});

export const createPool = z.strictObject({ name: poolName, sources: members });

/** `sources` replaces the whole list. */
export const updatePool = z.strictObject({
	id: itemId,
	version: seenVersion,
	name: poolName.optional(),
	sources: members.optional()
});

export const poolItem = z.object({
	id: z.string(),
	name: z.string(),
	sources: z.array(
		z.object({ sourceId: z.string(), name: z.string(), address: z.string(), ehloDomain: z.string(), weight: z.int() })
	),
	/** How many senders use it. */
	senders: z.int(),
	/** Whether Settings name it as the default pool. */
	isDefault: z.boolean(),
	createdAt: z.int(),
	version: z.int()
});

export const poolPage = pageOf(poolItem);
