import { z } from 'zod';

const className = z
	.string()
	.trim()
	.regex(
		/^[A-Za-z0-9_-]{1,40}$/,
		'A class has at most 40 letters, digits, dashes and underscores, like InvalidRecipient.'
	);
const classes = z.array(className).max(40, 'At most 40 classes.');
const count = (max: number) => z.int().min(1, 'At least 1.').max(max, `At most ${max}.`);
/** Whose list an event puts the recipient on: that of the domain that sent, or everybody's. */
const scope = z.enum(['domain', 'global']);

/** Refused for good. */
export const bounceRule = z.strictObject({
	enabled: z.boolean(),
	classes,
	/** Suppressed with this one within `days`. */
	count: count(10),
	days: count(90),
	scope
});

/** May be right again later: the entry ends by itself. */
export const softRule = z.strictObject({
	enabled: z.boolean(),
	classes,
	count: count(20),
	days: count(90),
	expiryDays: count(365),
	scope
});

/** By the feedback type of the complaint (RFC 5965 7.3). */
export const complaintRule = z.strictObject({ enabled: z.boolean(), classes, scope });
