/**
 * Cuts a text into parts for `imports.append`, at line ends where there are any, never inside a character. A part has at most
 * `limit` bytes as UTF-8 and as JSON: the server's limits are 256 KB of text and 512 KB for the whole request.
 */
export function partsOf(text: string, limit = 262_144): string[] {
	const parts: string[] = [];
	let part = '';
	let size = 0;
	for (const line of linesOf(text)) {
		for (const piece of bytesOf(line) <= limit ? [line] : piecesOf(line, limit)) {
			const bytes = bytesOf(piece);
			if (size + bytes > limit && part !== '') {
				parts.push(part);
				part = '';
				size = 0;
			}
			part += piece;
			size += bytes;
		}
	}
	return part === '' ? parts : [...parts, part];
}

/** Lines with their ends. */
function* linesOf(text: string): Generator<string> {
	for (let start = 0; start < text.length;) {
		const end = text.indexOf('\n', start);
		const next = end === -1 ? text.length : end + 1;
		yield text.slice(start, next);
		start = next;
	}
}

/** A line that is too long by itself, cut between characters. */
function* piecesOf(line: string, limit: number): Generator<string> {
	let piece = '';
	let size = 0;
	for (const character of line) {
		const bytes = bytesOf(character);
		if (size + bytes > limit) {
			yield piece;
			piece = '';
			size = 0;
		}
		piece += character;
		size += bytes;
	}
	yield piece;
}

const encoder = new TextEncoder();

/** As JSON, where a quote or a line end takes two bytes: never less than the text itself. */
const bytesOf = (text: string) => encoder.encode(JSON.stringify(text)).length - 2;
