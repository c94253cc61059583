import { z } from 'zod';
import { ipAddress } from '../../core/inputs.ts';

const noControls = /^[^\p{Cc}\p{Zl}\p{Zp}]*$/u;
const envelopeAddress = z
	.string()
	.trim()
	.max(320, 'At most 320 characters.')
	.regex(/^[^\s\p{Cc}<>]*$/u, 'Write an address without spaces and angle brackets.');

/** RFC 5322 field name. */
const headerName = z
	.string()
	.regex(/^[!-9;-~]{1,100}$/, 'A header name has 1 to 100 visible ASCII characters and no colon.');
const header = z.strictObject({
	name: headerName,
	value: z.string().max(8000, 'At most 8,000 characters.').regex(noControls, 'Write the value on one line.')
});

const headers = z
	.array(header)
	.max(100, 'At most 100 headers.')
	.refine((list) => list.reduce((sum, { name, value }) => sum + name.length + value.length, 0) <= 65_536, {
		message: 'Together at most 64 KB.'
	});

const authenticatedAs = envelopeAddress.min(3, 'Write the address of a sender.').optional();

/** How a message reaches KumoMTA. */
const arrival = z.discriminatedUnion('via', [
	z.strictObject({
		via: z.literal('smtp'),
		/** A purpose, or one listener's `address:port`. */
		listener: z
			.string()
			.trim()
			.regex(
				/^(?:inbound|submission|relay|[0-9a-f.:[\]]{3,64}:\d{1,5})$/i,
				'Write inbound, submission, relay or address:port.'
			),
		clientAddress: ipAddress,
		authenticatedAs
	}),
	z.strictObject({ via: z.literal('http'), clientAddress: ipAddress, authenticatedAs })
]);

/** A message and how it arrives. The password of `authenticatedAs` is taken as right: nobody is asked for it. */
export const simulatedMessage = z.strictObject({
	arrival,
	/** Empty: the null sender. */
	mailFrom: envelopeAddress,
	recipients: z
		.array(envelopeAddress.min(1, 'Write a recipient.'))
		.min(1, 'At least one recipient.')
		.max(20, 'At most 20.'),
	headers
});

export const simulate = simulatedMessage.extend({
	/** Absent: what an apply would make now. */
	revision: z.int().min(1).optional()
});

const reply = z.object({ code: z.int(), text: z.string() });

const step = z.object({
	stage: z.enum(['connection', 'auth', 'mail-from', 'rcpt-to', 'data', 'received', 'queue', 'route', 'sign']),
	/** The recipient that it is about. */
	subject: z.string().optional(),
	outcome: z.enum(['passed', 'refused', 'noted']),
	/** Permanent, kebab-case: the rule that decided. */
	rule: z.string(),
	text: z.string(),
	reply: reply.optional()
});

const pathLimit = z.object({ name: z.string(), limit: z.string() });

const source = z.object({
	name: z.string(),
	kumomtaName: z.string(),
	address: z.string().nullable(),
	ehloDomain: z.string().nullable(),
	weight: z.int(),
	/** 0 to 1. */
	share: z.number(),
	/** Of the way from this source to the recipient's domain, from KumoMTA's own shaping; null where that is not asked. */
	pathLimits: z.array(pathLimit).nullable()
});

const queuedMessage = z.object({
	kind: z.enum(['outbound', 'mailbox', 'report-log']),
	tenant: z.string().nullable(),
	campaign: z.string().nullable(),
	/** KumoMTA's name: `campaign:tenant@domain`. */
	queue: z.string(),
	pool: z.string().nullable(),
	sources: z.array(source),
	signatures: z.array(
		z.object({ domain: z.string(), selector: z.string(), algorithm: z.string(), headers: z.array(z.string()) })
	),
	retry: z
		.object({
			intervalSeconds: z.int(),
			maxIntervalSeconds: z.int().nullable(),
			maxAgeSeconds: z.int(),
			/** The first 12 tries, in seconds after the first one, without KumoMTA's jitter. */
			attemptsAfter: z.array(z.int())
		})
		.nullable(),
	rates: z.array(z.object({ scope: z.enum(['sender', 'queue']), limit: z.string() }))
});

export const simulateAnswer = z.object({
	/** Null: what an apply would make now. */
	revision: z.int().nullable(),
	hash: z.string(),
	/** Where the revision's own program ran. `double`: in the panel's Lua, against a double of KumoMTA's interfaces. */
	engine: z.enum(['double', 'kumod']),
	verdict: z.enum(['accepted', 'partly', 'refused']),
	trail: z.array(step),
	recipients: z.array(
		z.object({
			recipient: z.string(),
			accepted: z.boolean(),
			reply,
			rule: z.string(),
			message: queuedMessage.optional()
		})
	),
	/** What nobody knows before the message is really sent. */
	unknowns: z.array(z.object({ code: z.string(), text: z.string() }))
});

export type SimulatedMessage = z.infer<typeof simulatedMessage>;
export type SimulateAnswer = z.infer<typeof simulateAnswer>;
export type SimulatedStep = z.infer<typeof step>;
export type PathLimit = z.infer<typeof pathLimit>;
export type QueuedMessage = z.infer<typeof queuedMessage>;
/** What a revision's program did with a message, whatever the revision is called. */
export type Simulation = Omit<SimulateAnswer, 'revision' | 'hash'>;
