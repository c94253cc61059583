import { fromBase64, fromHtml, fromQuotedPrintable, textOf } from './decode.ts';
import { fieldOf, readHead, structured } from './headers.ts';
import type { Head } from './headers.ts';
import { lineAt, linesOf, step } from './lines.ts';
import type { Effort, Lines } from './lines.ts';

const maxDepth = 8;
const maxParts = 100;

export interface Part {
	head: Head;
	/** `message/delivery-status`, in lower case. */
	type: string;
	parameters: Map<string, string>;
	body: Lines;
}

/** The parts of a message in order, the containers left out; a returned message is one part and is not looked into. */
export function listParts(lines: Lines, effort: Effort): { top: Part; parts: Part[] } {
	const top = partOf(lines, effort);
	const parts: Part[] = [];
	collect(top, { parts, effort, depth: 0 });
	return { top, parts };
}

function partOf(lines: Lines, effort: Effort): Part {
	const head = readHead(lines, effort);
	const { value, parameters } = structured(fieldOf(head, 'content-type'));
	return { head, type: /^[!-~]+\/[!-~]+$/.test(value) ? value : 'text/plain', parameters, body: head.body };
}

function collect(part: Part, into: { parts: Part[]; effort: Effort; depth: number }): void {
	const { parts, effort, depth } = into;
	if (parts.length >= maxParts) return;
	if (!part.type.startsWith('multipart/')) return void parts.push(part);
	if (depth >= maxDepth) return;
	for (const range of rangesOf(part, effort)) collect(partOf(range, effort), { parts, effort, depth: depth + 1 });
}

/** RFC 2046 5.1.1. Where the named boundary does not occur, the first line that looks like one is taken. */
function rangesOf({ body, parameters }: Part, effort: Effort): Lines[] {
	const named = parameters.get('boundary') ?? '';
	const found = named === '' ? [] : split(body, named, effort);
	if (found.length > 0) return found;
	const guessed = guessBoundary(body, effort);
	return guessed === undefined ? [body] : split(body, guessed, effort);
}

function split(body: Lines, boundary: string, effort: Effort): Lines[] {
	const delimiter = `--${boundary}`;
	const ranges: Lines[] = [];
	let from: number | undefined;
	for (let at = body.from; at < body.to && step(effort); at += 1) {
		const line = lineAt(body, at);
		if (!line.startsWith(delimiter)) continue;
		const rest = line.slice(delimiter.length).trim();
		if (rest !== '' && rest !== '--') continue;
		if (from !== undefined) ranges.push({ ...body, from, to: at });
		from = at + 1;
		if (rest === '--' || ranges.length >= maxParts) return ranges;
	}
	// Cut off before its end: what came of the last part counts.
	if (from !== undefined && from < body.to) ranges.push({ ...body, from });
	return ranges;
}

function guessBoundary(body: Lines, effort: Effort): string | undefined {
	for (let at = body.from; at + 1 < body.to && step(effort); at += 1)
		if (/^--[^\s-]/.test(lineAt(body, at)) && /^content-/i.test(lineAt(body, at + 1)))
			return lineAt(body, at).slice(2).trimEnd();
	return undefined;
}

const maxReadable = 262_144;

/** The part's own lines, its transfer encoding undone (bytes as characters). */
export function bodyLines(part: Part, effort: Effort): Lines {
	const encoding = fieldOf(part.head, 'content-transfer-encoding').toLowerCase();
	if (!/^(?:base64|quoted-printable)/.test(encoding)) return part.body;
	const text = joined(part.body, effort);
	return linesOf(encoding.startsWith('base64') ? fromBase64(text) : fromQuotedPrintable(text));
}

function joined(lines: Lines, effort: Effort): string {
	let size = 0;
	let at = lines.from;
	while (at < lines.to && size < maxReadable && step(effort)) {
		size += lineAt(lines, at).length + 1;
		at += 1;
	}
	return lines.all.slice(lines.from, at).join('\n');
}

/** The lines of a text part as a person reads them. */
export function readableLines(part: Part, effort: Effort): string[] {
	const raw = joined(bodyLines(part, effort), effort).slice(0, maxReadable);
	const text = textOf(raw, part.parameters.get('charset')).replaceAll('\u00a0', ' ');
	const plain = part.type === 'text/html' ? fromHtml(text) : text;
	return plain.split('\n').map((line) => line.trimEnd());
}
