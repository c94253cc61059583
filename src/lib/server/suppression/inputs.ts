import { z } from 'zod';
import { emailAddress, itemId, paragraph, seenVersion } from '../core/inputs.ts';
import { listInput } from '../core/paging.ts';
import { bounceRule, complaintRule, softRule } from './rule-fields.ts';
import { reasons } from './tables.ts';

const reason = z.enum(reasons);
/** A domain's list; null or absent in a change: the global one. */
const domainId = itemId.nullable().optional();
const note = paragraph(500);
const expiresAt = z.int().min(1).max(8_640_000_000_000_000);

/** Absent: all lists; null: the global one. */
const filters = { domainId, reason: reason.optional() };

/**
 * The search is the beginning of an address, or `@` and the beginning of its host: each is a range of an index, at ten
 * million entries as at ten.
 */
export const listSuppressions = z.strictObject({ ...listInput(['address', 'createdAt']), ...filters }).prefault({});

export const checkSuppression = z.strictObject({ address: emailAddress, domainId });

export const addSuppression = z.strictObject({
	address: emailAddress,
	domainId,
	note: note.optional(),
	/** Absent or null: stays until it is removed. */
	expiresAt: expiresAt.nullable().optional()
});

export const bulkLimit = 2000;

/** As it prints in the audit log: how many there were, never which. */
export class AddressList {
	readonly texts: string[];
	constructor(texts: string[]) {
		this.texts = texts;
	}
	toJSON() {
		return { count: this.texts.length };
	}
}

/** Each is judged by itself: a wrong one is answered with its place, and the others go their way. */
const addresses = z
	.array(z.string().max(1000, 'At most 254 characters.'))
	.max(bulkLimit, `At most ${bulkLimit} addresses in a call.`)
	.transform((texts) => new AddressList(texts));

export const bulkSuppressions = z.strictObject({
	domainId,
	add: addresses.optional(),
	remove: addresses.optional(),
	reason: z.enum(['manual', 'import']).default('import'),
	note: note.optional()
});

export const exportSuppressions = z
	.strictObject({ ...filters, cursor: z.string().max(1000).optional(), limit: z.int().min(1).max(5000).default(2000) })
	.prefault({});

export const updateRules = z.strictObject({
	version: seenVersion,
	hard: bounceRule.optional(),
	soft: softRule.optional(),
	complaint: complaintRule.optional(),
	/** Whether reports that arrive as mail count: anybody can write one. */
	reports: z.boolean().optional()
});

export const suppressionItem = z.object({
	id: z.string(),
	address: z.string(),
	displayName: z.string(),
	/** Null: the global list. */
	domain: z.object({ id: z.string(), name: z.string() }).nullable(),
	reason,
	createdAt: z.int(),
	expiresAt: z.int().nullable(),
	/** What the last event said; null where only a person decided. */
	evidence: z
		.object({
			class: z.string(),
			code: z.int().nullable(),
			status: z.string().nullable(),
			diagnostic: z.string(),
			count: z.int(),
			firstAt: z.int(),
			lastAt: z.int()
		})
		.nullable(),
	note: z.string(),
	addedBy: z.string(),
	version: z.int()
});

export const suppressionPage = z.object({
	items: z.array(suppressionItem),
	nextCursor: z.string().nullable(),
	/** Counted up to 1,000. */
	total: z.int(),
	/** False: there are more than `total`. */
	totalIsExact: z.boolean()
});

export const checked = z.object({
	address: z.string(),
	/** Whether mail of this domain (without one: anybody's) is refused. */
	suppressed: z.boolean(),
	entries: z.array(suppressionItem)
});

export const bulkResult = z.object({
	added: z.int(),
	/** Stood there already; their reason may have become a stronger one. */
	known: z.int(),
	removed: z.int(),
	/** Removals that met no entry. */
	absent: z.int(),
	errors: z.array(z.object({ list: z.enum(['add', 'remove']), index: z.int(), message: z.string() }))
});

export const exported = z.object({
	/** CSV; the first page begins with the line of column names. */
	text: z.string(),
	rows: z.int(),
	nextCursor: z.string().nullable()
});

export const rulesItem = z.object({
	hard: bounceRule,
	soft: softRule,
	complaint: complaintRule,
	reports: z.boolean(),
	/** Null: the defaults. */
	updatedAt: z.int().nullable(),
	version: z.int()
});

const file = z.object({
	state: z.enum(['ok', 'absent', 'broken']),
	at: z.int().nullable(),
	rows: z.int(),
	bytes: z.int()
});

export const filesState = z.object({
	/**
	 * `unused`: no policy was applied yet, nobody reads them. `current`: they say what the list says. `waiting`: changes are
	 * on their way. `building`: the base is being built. `failed`: they could not be written, one is missing, or KumoMTA
	 * cannot read them; mail flows, and what it does not find there is not refused.
	 */
	state: z.enum(['unused', 'current', 'waiting', 'building', 'failed']),
	base: file,
	delta: file,
	/** Changes that no file says yet, counted up to 50,000. */
	waiting: z.int(),
	/** Recipients of the last three minutes that KumoMTA could not look up; null when it shows no such counter. */
	unread: z.int().nullable(),
	/** Rows of the base in the making; null when none is made. */
	progress: z.int().nullable(),
	failure: z.object({ at: z.int(), message: z.string() }).nullable()
});
