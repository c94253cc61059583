import { z } from 'zod';
import { itemId, line, seenVersion } from '../../core/inputs.ts';
import { listInput, pageOf } from '../../core/paging.ts';
import { simulatedMessage } from '../simulate/inputs.ts';

const word = (max: number) =>
	z
		.string()
		.max(max, `At most ${max} characters.`)
		.regex(
			/^[^\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]*$/u,
			'Line breaks and control characters are not allowed here.'
		);

/** What of an answer must stay; about the first recipient. An absent part may be anything, null means none. */
export const expectation = z.strictObject({
	verdict: z.enum(['accepted', 'partly', 'refused']),
	replyCode: z.int().min(200).max(599).optional(),
	rule: word(100).optional(),
	pool: word(200).nullable().optional(),
	tenant: word(500).nullable().optional(),
	campaign: word(1000).nullable().optional(),
	/** KumoMTA's name: `campaign:tenant@domain`. */
	queue: word(2000).optional(),
	/** All that may send it, by their names in the panel; the order does not matter. */
	sources: z.array(word(200)).max(1000, 'At most 1000 sources.').optional(),
	/** All of them; the order does not matter. */
	signatures: z
		.array(z.strictObject({ domain: word(255), selector: word(255) }))
		.max(50, 'At most 50 signatures.')
		.optional()
});

/** What is saved is shown to people: what turns a line around, or is no text, is for trying out only. */
const savedMessage = simulatedMessage.superRefine((message, context) => refuseUnprintable(message, [], context));

function refuseUnprintable(value: unknown, path: (string | number)[], context: z.RefinementCtx): void {
	if (typeof value === 'string') {
		if (/[\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u.test(value))
			context.addIssue({ code: 'custom', path, message: 'Characters that turn the line around are not saved.' });
	} else if (Array.isArray(value)) value.forEach((each, index) => refuseUnprintable(each, [...path, index], context));
	else if (typeof value === 'object' && value !== null)
		for (const [name, each] of Object.entries(value)) refuseUnprintable(each, [...path, name], context);
}

export const routeName = line(100).min(1, 'Enter a name.');

export const listRoutes = z.strictObject(listInput(['name'])).prefault({});
export const createRoute = z.strictObject({
	name: routeName,
	request: savedMessage,
	/** Absent: what the policy that an apply would make now answers. */
	expectation: expectation.optional()
});
export const updateRoute = z.strictObject({
	id: itemId,
	version: seenVersion,
	name: routeName.optional(),
	request: savedMessage.optional(),
	expectation: expectation.optional()
});

export const routeItem = z.object({
	id: z.string(),
	name: z.string(),
	request: simulatedMessage,
	expectation,
	createdAt: z.int(),
	updatedAt: z.int(),
	version: z.int()
});
export const routesPage = pageOf(routeItem);

const difference = z.object({ code: z.string(), text: z.string() });
const result = z.object({
	id: z.string(),
	name: z.string(),
	/** `not-run`: nothing is known about it; an apply takes that as broken. */
	status: z.enum(['kept', 'broken', 'not-run']),
	differences: z.array(difference)
});
export const checkRoutes = z
	.strictObject({
		/** Absent: what an apply would make now. */
		revision: z.int().min(1).optional()
	})
	.prefault({});
export const checkAnswer = z.object({ items: z.array(result) });

export type Expectation = z.infer<typeof expectation>;
export type RouteDifference = z.infer<typeof difference>;
export type RouteResult = z.infer<typeof result>;
export type RouteItem = z.infer<typeof routeItem>;
