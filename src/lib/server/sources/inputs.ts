import { z } from 'zod';
import { hostName, ipAddress, itemId, line, normaliseHost, seenVersion } from '../core/inputs.ts';
import { listInput, pageOf } from '../core/paging.ts';
import { isUsableSource } from './address-scope.ts';
import { addressesOf, rangeLimit } from './address-range.ts';

export const listSources = z.strictObject(listInput(['name', 'address', 'createdAt'])).prefault({});

const name = line(64).min(1, 'Enter a name, or leave it out.');
const address = ipAddress.refine(
	(text) => text === '' || isUsableSource(text),
	'Mail cannot leave from this address: it is a loopback, link-local, multicast or reserved one.'
);

const cidr = z
	.string()
	.trim()
	.max(50, 'At most 50 characters.')
	.superRefine((text, context) => {
		const addresses = addressesOf(text);
		if (addresses === undefined)
			refuse(context, 'This is not a network. Write it like 192.0.2.0/28, with the host part zero.');
		else if (addresses === 'too-large')
			refuse(context, `At most ${rangeLimit} addresses at once. Write a smaller network.`);
		else if (!addresses.every(isUsableSource)) refuse(context, 'Mail cannot leave from every address of this network.');
	});

/** Names for a range: `{n}` counts the addresses from 1. */
const ehloPattern = z
	.string()
	.trim()
	.toLowerCase()
	.max(253, 'At most 253 characters.')
	.refine(
		(text) => text.split('{n}').length === 2 && normaliseHost(text.replace('{n}', String(rangeLimit))) !== undefined,
		'Write a host name with {n} where the number goes, like out{n}.example.net.'
	);

function refuse(context: z.RefinementCtx, message: string): void {
	context.addIssue({ code: 'custom', message });
}

/**
 * One source, `{ address, ehloDomain, name?, publicAddress? }`, or a range, `{ cidr, ehloPattern }`: every address of the
 * network in one step, all or none.
 */
export const createSource = z
	.strictObject({
		address: address.optional(),
		ehloDomain: hostName().optional(),
		name: name.optional(),
		publicAddress: address.nullable().optional(),
		cidr: cidr.optional(),
		ehloPattern: ehloPattern.optional()
	})
	.superRefine((input, context) => {
		const isRange = input.cidr !== undefined || input.ehloPattern !== undefined;
		const needed = isRange ? (['cidr', 'ehloPattern'] as const) : (['address', 'ehloDomain'] as const);
		const foreign = isRange ? (['address', 'ehloDomain', 'name', 'publicAddress'] as const) : [];
		for (const field of needed)
			if (input[field] === undefined) context.addIssue({ code: 'custom', path: [field], message: 'This is needed.' });
		for (const field of foreign)
			if (input[field] !== undefined)
				context.addIssue({ code: 'custom', path: [field], message: 'Not together with a range.' });
	});

export const updateSource = z.strictObject({
	id: itemId,
	version: seenVersion,
	address: address.optional(),
	ehloDomain: hostName().optional(),
	name: name.optional(),
	publicAddress: address.nullable().optional()
});

export const sourceItem = z.object({
	id: z.string(),
	name: z.string(),
	address: z.string(),
	publicAddress: z.string().nullable(),
	ehloDomain: z.string(),
	/** `ehloDomain` in Unicode. */
	displayName: z.string(),
	/** Its name in KumoMTA's queues, logs and metrics; changes with the address and the EHLO name. */
	kumoName: z.string(),
	/** Whether this machine has the address now. */
	isOnHost: z.boolean(),
	pools: z.array(z.object({ id: z.string(), name: z.string() })),
	createdAt: z.int(),
	version: z.int()
});

export const sourcePage = pageOf(sourceItem);
/** The whole item; for a range `{ items }`, in the order of the addresses. */
export const createdSource = z.union([z.object({ items: z.array(sourceItem) }), sourceItem]);

export const detectedAddresses = z.object({
	items: z.array(
		z.object({
			address: z.string(),
			interface: z.string(),
			family: z.union([z.literal(4), z.literal(6)]),
			scope: z.enum(['public', 'private', 'loopback']),
			/** The source that uses it already. */
			sourceId: z.string().nullable()
		})
	)
});
