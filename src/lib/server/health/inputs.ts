import { z } from 'zod';
import { groups, outcomes } from './check.ts';
import { checks } from './checks.ts';

const checkId = z.enum(checks.map(({ id }) => id) as [string, ...string[]]);

/** Without `only`: every check but those that ask strangers. */
export const runHealth = z.strictObject({ only: z.array(checkId).min(1).max(50).optional() }).optional();

export const mend = z.object({ text: z.string(), command: z.string().nullable(), href: z.string().nullable() });

const healthItem = z.object({
	id: z.string(),
	group: z.enum(groups),
	title: z.string(),
	why: z.string(),
	/** Sends questions to strangers, and so runs only when it is named. */
	isAsked: z.boolean(),
	/** Null: it was never run. */
	outcome: z.enum(outcomes).nullable(),
	found: z.string(),
	details: z.array(z.string()),
	mend: mend.nullable(),
	checkedAt: z.int().nullable(),
	/** Since when the outcome has been this one. */
	sinceAt: z.int().nullable(),
	/** `root`: found with rights that the panel does not have. */
	rights: z.enum(['root', 'panel']).nullable()
});

export const healthAnswer = z.object({
	items: z.array(healthItem),
	counts: z.object({ failed: z.int(), warning: z.int(), unknown: z.int(), ok: z.int() }),
	/** When all were run last. */
	checkedAt: z.int().nullable()
});
