/**
 * The `tag=value; tag=value` lists of DKIM and DMARC (RFC 6376 3.2): white space around names and values is dropped, a
 * closing semicolon is allowed. Undefined when it is no such list: an empty item, a bad name, a name twice.
 */
export function parseTags(text: string): Map<string, string> | undefined {
	const items = text.split(';');
	if (items.length > 1 && isBlank(items.at(-1))) items.pop();
	const tags = new Map<string, string>();
	for (const item of items) {
		const [, name, value] = /^[ \t\r\n]*([A-Za-z][A-Za-z0-9_]*)[ \t\r\n]*=([^]*)$/.exec(item) ?? [];
		if (name === undefined || value === undefined || tags.has(name)) return undefined;
		if (/[^\x20-\x7e\t\r\n]/.test(value)) return undefined;
		tags.set(name, value.trim());
	}
	return tags;
}

const isBlank = (text: string | undefined) => /^[ \t\r\n]*$/.test(text ?? '');

export const isFirstTag = (tags: Map<string, string>, name: string) => tags.keys().next().value === name;
