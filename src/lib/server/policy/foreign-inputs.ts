import { z } from 'zod';

/** Null: what is live is the panel's, or nothing is. */
export const foreignAnswer = z
	.object({
		sha256: z.string(),
		bytes: z.int(),
		/** KumoMTA's own sample. */
		isPackaged: z.boolean(),
		/** The first 2,000, with what may be a secret masked. */
		lines: z.array(z.string()),
		lineCount: z.int(),
		/** Lines of which something is masked. */
		masked: z.int(),
		hints: z.array(
			z.object({
				code: z.string(),
				line: z.int(),
				theirs: z.string(),
				verdict: z.enum(['same', 'missing', 'note']),
				ours: z.string(),
				href: z.string().nullable()
			})
		)
	})
	.nullable();
