import { z } from 'zod';
import { itemId } from '../core/inputs.ts';
import { Secret } from '../core/secret.ts';

export const partBytes = 262_144;

export const createImport = z.strictObject({ kind: z.literal('domains-and-senders') });

/** The same part again replaces it. Parts count from 0 or 1 without a gap. */
export const appendPart = z.strictObject({
	id: itemId,
	part: z.int().min(0, 'Parts count from 0.').max(1000, 'At most 1,000 parts.'),
	text: z
		.string()
		.min(1, 'A part holds some text.')
		.refine((text) => text.isWellFormed(), 'The part begins or ends inside a character. Cut the file elsewhere.')
		.refine((text) => Buffer.byteLength(text) <= partBytes, 'A part may have at most 256 KB.')
		.transform((text) => new Secret(text))
});

export const previewImport = z.strictObject({
	id: itemId,
	cursor: z.string().max(1000).optional(),
	limit: z.int().min(1).max(200).default(100),
	/** `errors`: only lines with an error. */
	only: z.enum(['all', 'errors']).default('all')
});

export const commitImport = z.strictObject({
	id: itemId,
	expectedHash: z.string().regex(/^[0-9a-f]{64}$/, 'The hash of a preview.')
});

const state = z.enum(['open', 'committed']);

export const importItem = z.object({
	id: z.string(),
	kind: z.literal('domains-and-senders'),
	state,
	createdAt: z.int(),
	expiresAt: z.int()
});
export const appended = z.object({ id: z.string(), part: z.int(), parts: z.int(), bytes: z.int() });

const result = z.object({
	domainsCreated: z.int(),
	sendersCreated: z.int(),
	sendersUpdated: z.int(),
	keysRequested: z.int()
});

export const importPreview = z.object({
	id: z.string(),
	state,
	/** Null once committed. */
	hash: z.string().nullable(),
	items: z.array(
		z.object({
			line: z.int(),
			domain: z.string().nullable(),
			address: z.string().nullable(),
			effects: z.array(z.enum(['domain-created', 'key-requested', 'sender-created', 'sender-updated', 'unchanged'])),
			changes: z.array(z.enum(['pool', 'fromPolicy', 'limit', 'password'])),
			errors: z.array(z.object({ column: z.string(), message: z.string() }))
		})
	),
	nextCursor: z.string().nullable(),
	total: z.int(),
	summary: z.object({
		rows: z.int(),
		domainsCreated: z.int(),
		sendersCreated: z.int(),
		sendersUpdated: z.int(),
		unchanged: z.int(),
		keysRequested: z.int(),
		errors: z.int()
	}),
	/** What the commit did, and how many of its keys are still to be made; null before. */
	committed: z.object({ at: z.int(), result, keysWaiting: z.int() }).nullable(),
	expiresAt: z.int()
});

export const committedImport = z.object({ id: z.string(), state, result });
