import { z } from 'zod';
import { policyInput, policySender } from '../input.ts';

/**
 * What the panel asks of the applier: one file, gzip, a JSON value a line. The first line is the header, then follows what
 * its wish needs, and the last line is `"end"`, so that a file that was cut off is known. Nothing in it is trusted.
 */
export const requestFormat = 1;

/** Purpose of the seal of KumoMTA's API password on its way to the applier. */
export const credentialPurpose = 'applier.credential';

/** Bytes of the file, and of what it unpacks to. A hundred thousand senders are 40 MB. */
export const requestLimits = { packed: 256 * 1024 ** 2, unpacked: 1024 ** 3, line: 64 * 1024 ** 2 };

/** Names the request and the file of its answer. */
export const requestRef = z.string().regex(/^[a-z0-9]{16}$/);
export const revisionName = z.string().regex(/^[0-9]{1,10}-[0-9a-f]{12}$/);
export const hash256 = z.string().regex(/^[0-9a-f]{64}$/);
const revisionNumber = z
	.int()
	.min(1)
	.max(2 ** 31 - 1);

const watched = { watchSeconds: z.int().min(0).max(600), confirmListeners: z.boolean() };
const going = { ...watched, takeOver: hash256.nullable(), overwriteDrift: z.boolean() };

export const wish = z.discriminatedUnion('kind', [
	/** Say how things stand. */
	z.strictObject({ kind: z.literal('look') }),
	/** Make these data live; head, keys and senders follow. */
	z.strictObject({
		kind: z.literal('apply'),
		number: revisionNumber,
		/** What was reviewed: other data are refused. */
		hash: hash256,
		dropping: z.array(z.string().max(64)).max(10_000),
		...going
	}),
	/** Make the data of an older revision live, as they lie on the applier's own disk; keys follow. */
	z.strictObject({ kind: z.literal('restore'), number: revisionNumber, hash: hash256, from: revisionName, ...going }),
	/** Put back what was live before; `to` null: the policy from before the panel, by its SHA-256. */
	z.strictObject({
		kind: z.literal('back'),
		live: revisionName.nullable(),
		to: revisionName.nullable(),
		sha256: hash256.nullable(),
		...watched
	}),
	/** Decide over an apply that is watched. */
	z.strictObject({ kind: z.literal('decide'), of: requestRef, what: z.enum(['keep', 'take-back', 'confirm']) }),
	/** Place one of the two suppression files; pages of rows follow. */
	z.strictObject({
		kind: z.literal('suppression'),
		name: z.enum(['base', 'delta']),
		about: z.strictObject({
			id: requestRef,
			baseId: z.union([requestRef, z.literal('')]),
			seq: z.int().min(0),
			due: z.int().min(0),
			at: z.int().min(0)
		})
	})
]);
export type Wish = z.infer<typeof wish>;
export type WishOf<Kind extends Wish['kind']> = Extract<Wish, { kind: Kind }>;

export const requestHeader = z.strictObject({
	format: z.literal(requestFormat),
	ref: requestRef,
	/** Who asks, for the lock and the words of a decision. */
	by: z
		.string()
		.max(300)
		.regex(/^[^\p{Cc}]*$/u),
	/** The password of KumoMTA's HTTP API, sealed to the applier; null: it asks for none. */
	credential: z.string().max(2000).nullable(),
	wish
});
export type RequestHeader = z.infer<typeof requestHeader>;

export const headLine = z.tuple([z.literal('head'), policyInput.omit({ senders: true })]);
export const senderLine = z.tuple([z.literal('sender'), policySender]);
/** A DKIM key whose file may be missing, sealed to the applier. */
export const keyLine = z.tuple([
	z.literal('key'),
	z.strictObject({ id: z.string().regex(/^[a-z0-9]{16}$/), sealed: z.string().max(16_384) })
]);
/** Rows of a suppression file. */
export const rowsLine = z.tuple([
	z.literal('rows'),
	z
		.array(
			z.tuple([
				z.string().min(3).max(320),
				z
					.string()
					.max(253)
					.regex(/^[a-z0-9._-]*$/),
				z.enum(['hard-bounce', 'soft-bounce', 'complaint', 'manual', 'import', ''])
			])
		)
		.max(20_000)
]);
export const endLine = 'end';
