import { z } from 'zod';
import { itemId, secretText, seenVersion } from '../core/inputs.ts';
import { listInput, pageOf } from '../core/paging.ts';

export const listKeys = z.strictObject({ domainId: itemId, ...listInput(['createdAt', 'selector']) });

/** One DNS label (RFC 6376 3.1 would allow more): it is a file name too. */
const selector = z
	.string()
	.trim()
	.toLowerCase()
	.regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'Letters, digits and dashes between them, at most 63.');

const algorithm = z.enum(['rsa-2048', 'rsa-4096', 'ed25519']);

/** Without a selector the key takes the next of `k1`, `k2` … that the domain never had. */
export const generateKey = z.strictObject({ domainId: itemId, algorithm, selector: selector.optional() });

/** `pem`: an unencrypted PKCS#8 or PKCS#1 private key, RSA with 2048 or 4096 bits or Ed25519, at most 16 KB. */
export const importKey = z.strictObject({ domainId: itemId, selector, pem: secretText({ max: 16_384 }) });

export const changeKey = z.strictObject({ id: itemId, version: seenVersion });

/** An active or retiring key goes only with `force`. */
export const removeKey = z.strictObject({ id: itemId, version: seenVersion, force: z.boolean().optional() });

export const keyItem = z.object({
	id: z.string(),
	domainId: z.string(),
	selector: z.string(),
	algorithm,
	state: z.enum(['pending', 'active', 'retiring', 'retired']),
	publicRecord: z.object({
		/** Full name without trailing dot. */
		name: z.string(),
		value: z.string(),
		parts: z.array(z.string()),
		zone: z.string()
	}),
	dnsStatus: z.enum(['ok', 'missing', 'mismatch', 'unknown']),
	dnsCheckedAt: z.int().nullable(),
	createdAt: z.int(),
	activatedAt: z.int().nullable(),
	retiredAt: z.int().nullable(),
	removableAt: z.int().nullable(),
	version: z.int()
});

export const keyPage = pageOf(keyItem);
