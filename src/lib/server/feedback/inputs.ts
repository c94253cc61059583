import { z } from 'zod';
import { itemId } from '../core/inputs.ts';
import { listInput, pageOf } from '../core/paging.ts';
import { Pasted } from './pasted.ts';

export const feedbackKind = z.enum(['bounce', 'expiry', 'report', 'complaint']);
const moment = z.int().min(0).max(8_640_000_000_000_000);

export const listFeedback = z
	.strictObject({
		...listInput(['at']),
		domainId: itemId.optional(),
		senderId: itemId.optional(),
		kind: feedbackKind.optional(),
		class: z
			.string()
			.regex(/^[A-Za-z0-9_-]{1,40}$/, 'A class is letters, digits, - and _.')
			.optional(),
		/** How the address begins; a domain alone is for `search`. */
		recipient: z
			.string()
			.trim()
			.toLowerCase()
			.min(1)
			.max(254)
			.refine((text) => !text.includes('\0'), 'An address holds no NUL character.')
			.optional(),
		from: moment.optional(),
		to: moment.optional()
	})
	.prefault({});

const feedbackEvent = z.object({
	id: z.string(),
	at: z.int(),
	kind: feedbackKind,
	class: z.string(),
	recipient: z.string(),
	named: z.string().nullable(),
	returnPath: z.string(),
	domain: z.object({ id: z.string(), name: z.string().nullable() }).nullable(),
	sender: z.object({ id: z.string(), address: z.string().nullable() }).nullable(),
	code: z.int().nullable(),
	status: z.string().nullable(),
	diagnostic: z.string(),
	/** What status and code mean, in a sentence; empty for a complaint. */
	meaning: z.string(),
	/** False where the recipient wants the mail, or only a server reports. */
	isComplaint: z.boolean(),
	reporter: z.string(),
	messageId: z.string(),
	segment: z.string(),
	line: z.int()
});

export const feedbackPage = pageOf(feedbackEvent);

const dayMs = 86_400_000;

export const countFeedback = z
	.strictObject({
		by: z.enum(['hour', 'day']).default('hour'),
		from: moment,
		to: moment,
		domainId: itemId.optional(),
		senderId: itemId.optional()
	})
	.superRefine(({ by, from, to, domainId, senderId }, context) => {
		const issue = (message: string) => context.addIssue({ code: 'custom', path: ['to'], message });
		const isOne = domainId !== undefined || senderId !== undefined;
		const maxDays = by === 'hour' ? 8 : isOne ? 400 : 31;
		if (to <= from) issue('Choose an end after the start.');
		else if (to - from > maxDays * dayMs) issue(`At most ${maxDays} days ${by === 'hour' ? 'by hour' : 'here'}.`);
	});

const four = { bounces: z.int(), expiries: z.int(), reports: z.int(), complaints: z.int() };

export const feedbackCountsAnswer = z.object({
	by: z.enum(['hour', 'day']),
	from: z.int(),
	to: z.int(),
	totals: z.object(four),
	/** Every hour or day (UTC) of the range, in order. */
	buckets: z.array(z.object({ at: z.int(), ...four })),
	/** The ten with most; empty when one sender or domain was asked for. */
	domains: z.array(z.object({ id: z.string().nullable(), name: z.string().nullable(), ...four })),
	classes: z.array(z.object({ kind: feedbackKind, class: z.string(), count: z.int() }))
});

export const feedbackState = z.object({
	state: z.enum(['never', 'reading', 'behind', 'absent', 'unreadable']),
	code: z.string().nullable(),
	directory: z.string(),
	sinceAt: z.int().nullable(),
	readAt: z.int().nullable(),
	/** How old what is being read is, while more waits than one turn takes. */
	lagMs: z.int().nullable(),
	lastSegment: z.object({ name: z.string(), lines: z.int(), seenAt: z.int() }).nullable(),
	/** Segments that could not be read whole, the newest first. */
	badSegments: z.array(
		z.object({
			name: z.string(),
			what: z.enum(['damaged', 'unreadable-lines']),
			lines: z.int(),
			unreadableLines: z.int(),
			seenAt: z.int()
		})
	),
	badSegmentCount: z.int(),
	eventCount: z.int(),
	oldestEventAt: z.int().nullable()
});

export const parseReport = z.strictObject({
	text: z
		.string()
		.min(1, 'Paste the report here.')
		.max(262_144, 'At most 262,144 characters: the start of the report is enough.')
		.refine((text) => text.trim() !== '', 'Paste the report here.')
		.transform((text) => new Pasted(text))
});

const text = z.string();

export const parsedReport = z.object({
	kind: z.enum(['delivery', 'complaint', 'auto-reply', 'receipt', 'none']),
	shape: text.nullable(),
	from: text,
	to: text,
	subject: text,
	reporter: text,
	envelopeId: text,
	recipients: z.array(
		z.object({
			address: text,
			original: text.nullable(),
			action: z.enum(['failed', 'delayed', 'delivered', 'relayed', 'expanded']),
			status: text.nullable(),
			code: z.int().nullable(),
			diagnostic: text,
			remote: text,
			at: z.int().nullable(),
			willRetryUntil: z.int().nullable(),
			meaning: text
		})
	),
	complaint: z
		.object({
			type: text,
			isComplaint: z.boolean(),
			mailFrom: text,
			recipients: z.array(text),
			sourceAddress: text,
			reportedDomains: z.array(text),
			agent: text,
			incidents: z.int(),
			at: z.int().nullable()
		})
		.nullable(),
	original: z.object({ messageId: text, from: text, to: text, subject: text, returnPath: text }).nullable(),
	/** Whom the return path names, when the sender wrote the recipient into it (VERP). */
	writtenRecipient: text.nullable(),
	isCut: z.boolean()
});
