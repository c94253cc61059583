import { z } from 'zod';
import { itemId, localPart, seenVersion } from '../core/inputs.ts';
import { listInput, pageOf } from '../core/paging.ts';
import { Secret } from '../core/secret.ts';

const count = z.int('A whole number.').min(1, 'At least 1.').max(1_000_000_000, 'At most 1,000,000,000.').optional();

/** How many messages may leave in one period; none given means no limit. */
const limits = z
	.strictObject({ perSecond: count, perMinute: count, perHour: count, perDay: count })
	.refine(
		(given) => Object.values(given).filter((each) => each !== undefined).length <= 1,
		'Only one limit may be set.'
	);

/** A password somebody chose: SMTP clients disagree about everything beyond printable ASCII. */
export const chosenPassword = z
	.string()
	.min(16, 'At least 16 characters, or leave it out.')
	.max(128, 'At most 128 characters.')
	.regex(/^[\x20-\x7e]*$/, 'Only letters, digits, spaces and the signs of an English keyboard.')
	.transform((text) => new Secret(text));

const fromPolicy = z.enum(['address', 'domain']);
const status = z.enum(['enabled', 'paused']);
/** How long KumoMTA waits before it tries a message again the first time. */
const retryIntervalSeconds = z.int().min(1, 'At least 1 second.').max(604_800, 'At most 7 days.').nullable().optional();
/** How long a message may wait before it is given up. */
const maxAgeSeconds = z.int().min(60, 'At least 60 seconds.').max(2_592_000, 'At most 30 days.').nullable().optional();

export const listSenders = z
	.strictObject({ ...listInput(['address', 'createdAt']), domainId: itemId.optional() })
	.prefault({});

export const createSender = z.strictObject({
	domainId: itemId,
	localPart,
	poolId: itemId,
	fromPolicy: fromPolicy.default('address'),
	status: status.default('enabled'),
	limits: limits.nullable().optional(),
	retryIntervalSeconds,
	maxAgeSeconds,
	/** Absent: the panel makes one and answers it once. Null: none, so nobody can sign in as this sender. */
	password: chosenPassword.nullable().optional()
});

export const updateSender = z.strictObject({
	id: itemId,
	version: seenVersion,
	poolId: itemId.optional(),
	fromPolicy: fromPolicy.optional(),
	status: status.optional(),
	limits: limits.nullable().optional(),
	retryIntervalSeconds,
	maxAgeSeconds
});

/** Absent: the panel makes a password and answers it once. Null clears the stored one. */
export const setPassword = z.strictObject({
	id: itemId,
	version: seenVersion,
	password: chosenPassword.nullable().optional()
});

const named = z.object({ id: z.string(), name: z.string() });

export const senderItem = z.object({
	id: z.string(),
	domainId: z.string(),
	poolId: z.string(),
	localPart: z.string(),
	address: z.string(),
	displayName: z.string(),
	tenant: z.string(),
	domain: named,
	pool: named,
	fromPolicy,
	status,
	limits: z
		.object({
			perSecond: z.int().optional(),
			perMinute: z.int().optional(),
			perHour: z.int().optional(),
			perDay: z.int().optional()
		})
		.nullable(),
	retryIntervalSeconds: z.int().nullable(),
	maxAgeSeconds: z.int().nullable(),
	credential: z.object({ isSet: z.boolean(), setAt: z.int().nullable(), generated: z.boolean() }),
	createdAt: z.int(),
	version: z.int()
});

/** `password` is there only when the panel made it, and never again afterwards. */
export const senderWithPassword = senderItem.extend({ password: z.string().optional() });
export const senderPage = pageOf(senderItem);
/** Mail that still waits under the sender's name keeps its pool until `keptUntilAt`. */
export const removedSender = z.object({ id: z.string(), keptUntilAt: z.int() });
