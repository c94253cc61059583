import { decodeWords } from './decode.ts';
import { lineAt, step } from './lines.ts';
import type { Effort, Lines } from './lines.ts';

const maxHeaders = 300;
const maxValue = 8192;
/** RFC 5322 2.2 allows more in a name than anybody uses, `<ann@example.org>:` too; some put a space before the colon. */
const start = /^([A-Za-z0-9][A-Za-z0-9_.-]{0,99})[ \t]{0,5}:[ \t]*(.*)$/s;

/** Fields by lower-case name, each with its values in order, unfolded; the rest is what follows them. */
export interface Head {
	fields: Map<string, string[]>;
	body: Lines;
}

/**
 * Reads a block of fields up to the first blank line. Blank lines and an mbox line before it are passed over; a line that is
 * no field ends it too, since some reports forget the blank line.
 */
export function readHead(lines: Lines, effort: Effort): Head {
	const fields = new Map<string, string[]>();
	let at = lines.from;
	while (at < lines.to && /^\s*$|^>?From [^:]*$/.test(lineAt(lines, at)) && step(effort)) at += 1;
	let count = 0;
	let name: string | undefined;
	for (; at < lines.to && step(effort); at += 1) {
		const line = lineAt(lines, at);
		if (line === '') break;
		if (/^[ \t]/.test(line)) {
			if (name === undefined) break;
			extend(fields.get(name), line);
			continue;
		}
		const [, found, value = ''] = start.exec(line) ?? [];
		if (found === undefined) return { fields, body: { ...lines, from: at } };
		name = found.toLowerCase();
		count += 1;
		if (count > maxHeaders) name = undefined;
		else fields.set(name, [...(fields.get(name) ?? []).slice(0, 50), value.trimEnd()]);
	}
	return { fields, body: { ...lines, from: Math.min(at + 1, lines.to) } };
}

function extend(values: string[] | undefined, line: string): void {
	const last = values?.at(-1);
	if (values === undefined || last === undefined || last.length > maxValue) return;
	values[values.length - 1] = `${last} ${line.trim()}`;
}

/** The first value of a field, as it stands. */
export const fieldOf = ({ fields }: Pick<Head, 'fields'>, name: string): string => fields.get(name)?.[0]?.trim() ?? '';

/** The same, with encoded words read (RFC 2047). */
export const wordsOf = (head: Pick<Head, 'fields'>, name: string): string => decodeWords(fieldOf(head, name));

/** A structured value: `type/subtype; name=value; other="quoted"` (RFC 2045 5.1), with RFC 2231's pieces joined. */
export function structured(value: string): { value: string; parameters: Map<string, string> } {
	const bare = withoutComments(value);
	const parameters = new Map<string, string>();
	const pieces = /;\s*([!#$%&'*+.^_`|~0-9A-Za-z-]{1,60})\s*=\s*(?:"((?:[^"\\]|\\.){0,1000})"|([^\s;"]{0,1000}))/g;
	for (const [, name = '', quoted, token = ''] of bare.matchAll(pieces)) {
		const key = name.toLowerCase().replace(/\*\d*\*?$/, '');
		const text = quoted === undefined ? token : quoted.replace(/\\(.)/g, '$1');
		parameters.set(key, `${name.includes('*') ? (parameters.get(key) ?? '') : ''}${text}`.slice(0, 1000));
	}
	return { value: bare.split(';', 1)[0]?.trim().toLowerCase() ?? '', parameters };
}

/** RFC 5322 3.2.2: text in parentheses is for people, but not inside quotes. */
function withoutComments(value: string): string {
	let out = '';
	let depth = 0;
	let isQuoted = false;
	for (let at = 0; at < value.length; at += 1) {
		const character = value[at] ?? '';
		if (character === '\\') {
			if (depth === 0) out += value.slice(at, at + 2);
			at += 1;
		} else if (depth === 0 && character === '"') {
			isQuoted = !isQuoted;
			out += character;
		} else if (!isQuoted && character === '(') depth += 1;
		else if (!isQuoted && character === ')' && depth > 0) depth -= 1;
		else if (depth === 0) out += character;
	}
	return out;
}
