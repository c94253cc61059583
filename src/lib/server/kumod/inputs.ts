import { z } from 'zod';

export const statusAnswer = z.object({
	/** `never`: not since the panel started, which is `sinceAt` then. `refusing`: it answers, but not to the panel. */
	state: z.enum(['never', 'answering', 'away', 'refusing']),
	sinceAt: z.int(),
	/** Why, in words; null while it answers. */
	detail: z.string().nullable(),
	version: z.string().nullable(),
	lastSeenAt: z.int().nullable(),
	/** When its counters were seen to begin anew. */
	restartedAt: z.int().nullable(),
	/** Whether there is a kumod on this machine. */
	isInstalled: z.boolean()
});
