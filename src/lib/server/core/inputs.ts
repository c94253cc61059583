import { isIP } from 'node:net';
import { domainToASCII, domainToUnicode } from 'node:url';
import { z } from 'zod';
import { Secret } from './secret.ts';

/** No input. A call without one, or with `{}`, is the same. */
export const nothing = z.strictObject({}).optional();

export const itemId = z.string().regex(/^[a-z0-9]{16}$/, 'This is not an id.');
export const byId = z.strictObject({ id: itemId });
/** The version that the caller saw; a different one now is CONFLICT version-moved. */
export const seenVersion = z.int().min(1).optional();
export const removeById = z.strictObject({ id: itemId, version: seenVersion });
export const removed = z.object({ id: z.string() });

/** A line of text for people: no control, bidirectional-override or line-breaking characters. */
export function line(max: number) {
	return z
		.string()
		.trim()
		.max(max, `At most ${max} characters.`)
		.refine(
			(text) => !/[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f]/u.test(text),
			'Line breaks and control characters are not allowed here.'
		);
}

/** Several lines of text for people. */
export function paragraph(max: number) {
	return z
		.string()
		.max(max, `At most ${max} characters.`)
		.refine(
			(text) => !/[\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]|(?![\n\t])\p{Cc}/u.test(text),
			'Control characters are not allowed here.'
		);
}

const label = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/;

/**
 * A host name as RFC 1123 and IDNA allow: normalised to lower-case A-labels without a trailing dot, at least two labels,
 * at most `max` octets. Mail host names have no underscore (RFC 5321 4.1.2); IP addresses are refused.
 */
export function hostName(max = 253) {
	return z
		.string()
		.trim()
		.min(1, 'Enter a name, like mail.example.com.')
		.max(1000, 'At most 253 characters.')
		.transform((text, context) => {
			const name = normaliseHost(text);
			if (name === undefined)
				context.addIssue({ code: 'custom', message: 'This is not a domain name. Write it like mail.example.com.' });
			else if (name.length > max) context.addIssue({ code: 'custom', message: `At most ${max} characters.` });
			return name ?? '';
		});
}

/** A-label form of a host name, or undefined when it is none. */
export function normaliseHost(text: string): string | undefined {
	const bare = text.trim().replace(/\.$/, '');
	if (/[\s\p{Cc}/\\:@?#[\]%]/u.test(bare) || isIP(bare) !== 0) return undefined;
	const ascii = domainToASCII(bare.toLowerCase());
	const labels = ascii.split('.');
	if (ascii.length === 0 || ascii.length > 253 || labels.length < 2 || isIP(ascii) !== 0) return undefined;
	if (!labels.every((each) => label.test(each)) || /^\d+$/.test(labels.at(-1) ?? '')) return undefined;
	return ascii;
}

/** How a person reads an A-label name. */
export const displayHost = (name: string): string => domainToUnicode(name) || name;

export function displayAddress(address: string): string {
	const at = address.lastIndexOf('@');
	return `${address.slice(0, at + 1)}${displayHost(address.slice(at + 1))}`;
}

/** The part before the `@`: dot-atom of RFC 5322 3.2.3 in ASCII, lower case, at most 64 octets; never quoted. */
export const localPart = z
	.string()
	.trim()
	.toLowerCase()
	.min(1, 'Enter the part before the @.')
	.max(64, 'At most 64 characters.')
	.regex(
		/^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/,
		"Only letters, digits, dots between them and !#$%&'*+/=?^_`{|}~- are allowed."
	);

/** An e-mail address, normalised: lower case, domain as A-labels, at most 254 octets. */
export const emailAddress = z
	.string()
	.trim()
	.max(320, 'At most 254 characters.')
	.transform((text, context) => {
		const at = text.lastIndexOf('@');
		const local = localPart.safeParse(text.slice(0, Math.max(at, 0)));
		const host = normaliseHost(text.slice(at + 1));
		if (at < 1 || /\s/.test(text) || !local.success || host === undefined) {
			context.addIssue({ code: 'custom', message: 'This is not an e-mail address. Write it like ops@example.com.' });
			return '';
		}
		const address = `${local.data}@${host}`;
		if (address.length > 254) context.addIssue({ code: 'custom', message: 'At most 254 characters.' });
		return address;
	});

/** IPv4 or IPv6 in its one canonical spelling. */
export const ipAddress = z
	.string()
	.trim()
	.max(64)
	.transform((text, context) => {
		const address = canonicalAddress(text);
		if (address === undefined) context.addIssue({ code: 'custom', message: 'This is not an IP address.' });
		return address ?? '';
	});

export function canonicalAddress(text: string): string | undefined {
	const family = isIP(text);
	if (family === 4) return text;
	if (family !== 6 || text.includes('%')) return undefined;
	return new URL(`http://[${text}]/`).hostname.slice(1, -1);
}

/** A secret on its way in: from here on it prints as `[secret]`, in the audit log too. */
export function secretText({ min = 1, max }: { min?: number; max: number }) {
	return z
		.string()
		.min(min, min === 1 ? 'Enter it, or leave it out.' : `At least ${min} characters.`)
		.max(max, `At most ${max} characters.`)
		.transform((text) => new Secret(text));
}

export const secretState = z.object({ isSet: z.boolean(), setAt: z.int().nullable() });

/** Keeps the fields that were given: `undefined` keeps what is stored, `null` clears it. */
export function given<T extends object>(fields: T): Partial<T> {
	return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}
