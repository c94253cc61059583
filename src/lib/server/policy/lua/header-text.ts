const encodedWord = /=\?([A-Za-z0-9-]+)(?:\*[A-Za-z0-9-]+)?\?([bq])\?([^?\s]*)\?=(?:[ \t\r\n]+(?==\?))?/gi;

/** An unstructured header value as KumoMTA's accessors answer it: encoded words (RFC 2047) are decoded, also in From. */
export function unstructured(value: string): string {
	return value.replace(encodedWord, (word: string, charset: string, encoding: string, text: string) => {
		try {
			return new TextDecoder(charset, { fatal: true }).decode(bytesOf(encoding, text));
		} catch {
			return word;
		}
	});
}

function bytesOf(encoding: string, text: string): Uint8Array {
	if (encoding.toLowerCase() === 'b') return Buffer.from(text, 'base64');
	const plain = text.replaceAll('_', ' ');
	return Buffer.from(
		plain.replace(/=([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
		'latin1'
	);
}
