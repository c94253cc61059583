/** Text of a report is held as one character per byte until the place is reached that says what the bytes mean. */

/** Bytes as text: UTF-8 where they are that, else the character set that was named, else Windows' western one. */
export function textOf(binary: string, charset = ''): string {
	// Above one byte it is text already.
	if (/^[\x20-\x7e\t\r\n]*$|[^\x00-\xff]/.test(binary)) return binary;
	const bytes = Buffer.from(binary, 'latin1');
	const named = charset.trim().toLowerCase();
	// ISO 2022 writes other scripts in ASCII's bytes.
	const order = named.startsWith('iso-2022') ? [named, 'utf-8'] : ['utf-8', named];
	for (const label of [...order, 'windows-1252'])
		try {
			return new TextDecoder(label, { fatal: true }).decode(bytes);
		} catch {
			// Another character set, or one that is not known: the next is tried.
		}
	return binary;
}

/** RFC 2045 6.7. What is no escape stays as it is. */
export function fromQuotedPrintable(text: string): string {
	return text
		.replace(/[ \t]{1,200}(?=\n|$)/g, '')
		.replace(/=\n/g, '')
		.replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}

/** RFC 2045 6.8; characters outside the alphabet are passed over. */
export const fromBase64 = (text: string): string => Buffer.from(text, 'base64').toString('latin1');

/** RFC 2047: `=?utf-8?B?…?=`, words that follow each other joined. */
export function decodeWords(value: string): string {
	const word = /=\?([A-Za-z0-9._-]{1,40})(?:\*[A-Za-z-]{1,20})?\?([BbQq])\?([^?\s]{0,1000})\?=/g;
	const joined = value.slice(0, 8192).replace(/(\?=)\s{1,10}(?==\?)/g, '$1');
	return textOf(
		joined.replace(word, (_, charset: string, kind: string, text: string) => {
			const bytes = kind.toUpperCase() === 'B' ? fromBase64(text) : fromQuotedPrintable(text.replaceAll('_', ' '));
			return Buffer.from(textOf(bytes, charset)).toString('latin1');
		})
	);
}

/**
 * The xtext of RFC 3461 4, for the two characters that an address may hold and xtext must write otherwise. A tag such as
 * `ann+20` is left alone: reports are to hold the decoded address (RFC 3464 2.3.1), yet some do not.
 */
export const fromXtext = (text: string): string =>
	text.replace(/\+(2B|3D)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));

/** RFC 6533 3: `\x{263A}` in an address of type utf-8. */
export const fromUnitext = (text: string): string =>
	text.replace(/\\x\{([0-9A-Fa-f]{2,6})\}/g, (whole, hex: string) => {
		const point = parseInt(hex, 16);
		return point <= 0x10ffff && (point < 0xd800 || point > 0xdfff) ? String.fromCodePoint(point) : whole;
	});

/** What a person would read of HTML: no tags, line breaks where blocks end, the common entities. */
export function fromHtml(html: string): string {
	return withoutElement(withoutElement(html, 'style'), 'script')
		.replace(/[ \t\r\n]+/g, ' ')
		.replace(/<(?:br|\/?p|\/?div|\/?tr|\/?h\d|\/?li|\/?table|\/?pre|\/?blockquote)(?:\s[^<>]{0,2000})?\/?>/gi, '\n')
		.replace(/<(?:\/?[A-Za-z][A-Za-z0-9]{0,20}(?:\s[^<>]{0,2000})?\/?|![^<>]{0,2000})>/g, '')
		.replace(/&(lt|gt|quot|apos|nbsp|amp|#39|#64|#160);/gi, (_, name: string) => entities[name.toLowerCase()] ?? ' ');
}

function withoutElement(html: string, name: string): string {
	const lower = html.toLowerCase();
	let out = '';
	let at = 0;
	for (;;) {
		const start = lower.indexOf(`<${name}`, at);
		const end = start < 0 ? -1 : lower.indexOf(`</${name}`, start);
		// Without an end all of it stays: what is cut off is text rather than nothing.
		if (end < 0 || lower.length !== html.length) return out + html.slice(at);
		out += html.slice(at, start);
		at = end;
	}
}

const entities: Record<string, string> = {
	lt: '<',
	gt: '>',
	quot: '"',
	apos: "'",
	nbsp: ' ',
	amp: '&',
	'#39': "'",
	'#64': '@',
	'#160': ' '
};
