import { emailAddress } from '../../core/inputs.ts';
import { plainText } from '../../core/plain-text.ts';
import { maskText } from '../../mail-log/service.ts';
import { textOf } from './decode.ts';

/** A stranger's text as the panel may show it: one line, bounded, without credentials. */
export const shownText = (text: string, max = 500): string => maskText(plainText(text, max));

/** The same of bytes. */
export const shown = (bytes: string, max = 500): string => shownText(textOf(bytes), max);

/** An address as the panel stores it; what is none stays as it was written, in lower case. */
export function addressOf(text: string): string {
	const inside = /<([^<>]{0,320})>/.exec(text)?.[1] ?? text;
	const decoded = textOf(inside.replace(/^\s*(?:mailto|smtp|rfc822)\s*[:;]/i, ''));
	const bare = plainText(decoded, 320).replace(/^["']|["'.,;:]+$/g, '');
	return emailAddress.safeParse(bare).data || bare.toLowerCase();
}

export const isAddress = (text: string): boolean => emailAddress.safeParse(text).success;

/** Every address in a text, in order, each once. */
export function addressesIn(text: string): string[] {
	const found = text.slice(0, 8192).match(/[^\s"'<>()[\]:;,@\\]{1,64}@[^\s"'<>()[\]:;,@\\/=]{1,253}/g) ?? [];
	return [...new Set(found.map(addressOf).filter(isAddress))];
}

/** An enhanced status code (RFC 3463) in a text. */
export const statusIn = (text: string): string | null =>
	/(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?!\.?\d)/.exec(text.slice(0, 2000))?.[0] ?? null;

/** An SMTP reply code: at the start, or where a text quotes one. */
export function codeIn(text: string): number | null {
	const head = text.slice(0, 2000);
	const found =
		/^[\s'"#(]{0,5}([245]\d\d)(?![\d.])/.exec(head) ??
		/(?:said:?|returned|response was:?|reply(?: was)?:?|reason:?|error:?|code:?|state|smtp;|#|[('"<[:])\s{0,3}['"#]?([45]\d\d)(?=[\s\-,;:'")#])/i.exec(
			head
		) ??
		/(?<![\d.\-/:])([45][0-5]\d)[ -]#?[45]\.\d{1,3}\.\d{1,3}/.exec(head);
	return found === null ? null : Number(found[1]);
}

/** A moment in any form that JavaScript reads, or null. */
export function momentIn(text: string): number | null {
	const at = Date.parse(text.slice(0, 100).replace(/\([^)]{0,50}\)/g, ''));
	return Number.isSafeInteger(at) && at > 0 ? at : null;
}
