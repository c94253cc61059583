import { z } from 'zod';
import { maxPasswordBytes } from '../core/bcrypt.ts';
import { itemId, localPart as anyLocalPart, paragraph, secretText, seenVersion } from '../core/inputs.ts';
import { listInput, pageOf } from '../core/paging.ts';
import { Secret } from '../core/secret.ts';

/** The `+` separates an account from its tag (`account+tag`), so no account has one. */
const localPart = anyLocalPart.refine((text) => !text.includes('+'), 'No +: mail to account+tag belongs to account.');

/** Read by mail programs over IMAP and POP3, which disagree about everything beyond printable ASCII. */
const password = z
	.string()
	.min(12, 'At least 12 characters, or leave it out and the panel makes one.')
	.max(maxPasswordBytes, `At most ${maxPasswordBytes} characters.`)
	.regex(/^[\x20-\x7e]*$/, 'Only letters, digits, spaces and the signs of an English keyboard.')
	.transform((text) => new Secret(text));

const mebibyte = 1_048_576;
const quotaBytes = z
	.int()
	.min(mebibyte, 'At least 1 MiB.')
	.max(1_048_576 * mebibyte, 'At most 1 TiB.');
/** How long mail is kept before it is removed. */
const retentionDays = z.int().min(1, 'At least 1 day.').max(3650, 'At most 10 years.');
const notes = paragraph(2000);

export const listBounces = z
	.strictObject({ ...listInput(['address', 'createdAt']), domainId: itemId.optional() })
	.prefault({});

export const createBounce = z.strictObject({
	domainId: itemId,
	localPart,
	/** Absent: the panel makes one and answers it once. Null: none, so nobody can read the mail yet. */
	password: password.nullable().optional(),
	quotaBytes: quotaBytes.default(1024 * mebibyte),
	retentionDays: retentionDays.default(30),
	notes: notes.default(''),
	enabled: z.boolean().default(true)
});

export const updateBounce = z.strictObject({
	id: itemId,
	version: seenVersion,
	quotaBytes: quotaBytes.optional(),
	retentionDays: retentionDays.optional(),
	notes: notes.optional(),
	enabled: z.boolean().optional()
});

/** Absent: the panel makes a password and answers it once. Null clears the stored one. */
export const setPassword = z.strictObject({
	id: itemId,
	version: seenVersion,
	password: password.nullable().optional()
});

export const removeBounce = z.strictObject({
	id: itemId,
	version: seenVersion,
	/** True: its mail goes within minutes rather than after 7 days. */
	deleteMail: z.boolean().default(false)
});

export const emptyMailbox = z.strictObject({
	id: itemId,
	/** How many messages the person was told of: when it holds many more by now, nothing is removed. */
	confirm: z.int().min(0)
});

/** The password is tried and forgotten. Absent: the connection is tried as far as Dovecot's greeting. */
export const checkLogin = z.strictObject({ id: itemId, password: secretText({ max: 256 }).optional() });

/** What the last look found; a page reads it from here, however many files there are. */
const mailboxState = z.object({
	messages: z.int(),
	bytes: z.int(),
	newestAt: z.int().nullable(),
	/** Null: it was not looked into yet. */
	scannedAt: z.int().nullable(),
	/** Why it could not be looked into the last time. */
	problem: z.object({ code: z.string(), message: z.string() }).nullable()
});

export const bounceItem = z.object({
	id: z.string(),
	domainId: z.string(),
	domain: z.object({ id: z.string(), name: z.string() }),
	localPart: z.string(),
	address: z.string(),
	displayName: z.string(),
	credential: z.object({ isSet: z.boolean(), setAt: z.int().nullable(), generated: z.boolean() }),
	quotaBytes: z.int(),
	retentionDays: z.int(),
	notes: z.string(),
	enabled: z.boolean(),
	mailbox: mailboxState,
	createdAt: z.int(),
	version: z.int()
});

/** `password` is there only when the panel made it, and never again afterwards. */
export const bounceWithPassword = bounceItem.extend({ password: z.string().optional() });
export const bouncePage = pageOf(bounceItem);

export const removedBounce = z.object({ id: z.string(), keptUntilAt: z.int() });
export const mailbox = mailboxState.extend({ id: z.string(), quotaBytes: z.int(), retentionDays: z.int() });
export const emptied = z.object({
	id: z.string(),
	removed: z.int(),
	removedBytes: z.int(),
	/** Messages that came in meanwhile, and, when `isFinished` is false, those there was no time for. */
	left: z.int(),
	isFinished: z.boolean()
});
export const connection = z.object({
	/** What mail programs connect to; null until Settings name this server. */
	hostname: z.string().nullable(),
	/** Both with TLS from the first byte on. */
	imapPort: z.int(),
	pop3Port: z.int()
});
export const loginCheck = z.object({
	id: z.string(),
	ok: z.boolean(),
	stages: z.array(
		z.object({
			name: z.enum(['tcp', 'tls', 'greeting', 'login', 'mailbox']),
			status: z.enum(['ok', 'failed', 'skipped']),
			detail: z.string()
		})
	)
});
