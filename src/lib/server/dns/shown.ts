const maxCharacters = 1000;
const maxEntries = 20;

/**
 * Text from a stranger's zone, made harmless: printable ASCII stays, any other byte or character becomes `\DDD` or
 * `\u{…}`, a backslash is doubled, and what is over-long is cut and says so.
 */
export function shownText(text: string): string {
	const head = text.slice(0, maxCharacters).replace(/[^\x20-\x5b\x5d-\x7e]/gu, (character) => {
		if (character === '\\') return '\\\\';
		const code = character.codePointAt(0) ?? 0;
		return code < 256 ? `\\${String(code).padStart(3, '0')}` : `\\u{${code.toString(16)}}`;
	});
	return text.length > maxCharacters ? `${head} (${text.length - maxCharacters} more characters)` : head;
}

export function shownList(values: string[]): string[] {
	const shown = values.slice(0, maxEntries).map(shownText);
	return values.length > maxEntries ? [...shown, `(${values.length - maxEntries} more)`] : shown;
}
