/** What stands where a secret may have been. */
export const hidden = '‹hidden›';

const sensitive =
	/pass(?:word|wd|phrase)?s?\b|_pass\b|\bpwd?\b|password|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential|authorization|\bauth\b|\bbearer\b|signing[_-]?key|key_data/i;
/** Text in quotes, and the inside of long brackets on one line. */
const literals = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\[(=*)\[.*?\]\1\]/g;
/** The user part of an address like `redis://user:word@host`. */
const userInfo = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@'"]+@/gi;
/** Long, without blanks, of letters and digits mixed: a hash, a token, a key. File paths and names have their dots and slashes. */
const opaque =
	/(?<![A-Za-z0-9+/=_-])(?=[A-Za-z+/=_-]*\d)(?=[\d+/=_-]*[A-Za-z])[A-Za-z0-9+=_-]{32,}(?![A-Za-z0-9+/=_-])/g;

/**
 * Lua or TOML that somebody else wrote, line by line, with what looks like a secret taken out. It errs towards hiding, and
 * cannot know every secret: what an operator calls `x` and spells `y` stays visible.
 */
export function maskLines(lines: string[]): { lines: string[]; masked: number } {
	let masked = 0;
	let depth = 0;
	let until: string | null = null;
	const shown = lines.map((line) => {
		const isInside: boolean = until !== null || depth > 0;
		const text: string = until !== null ? hidden : maskLine(line, isInside);
		if (until !== null) {
			if (line.includes(until)) until = null;
		} else {
			until = opensBlock(line, isInside || sensitive.test(line));
			if (isInside || sensitive.test(line)) depth = Math.max(0, depth + balance(line));
		}
		if (text !== line) masked++;
		return text;
	});
	return { lines: shown, masked };
}

export const maskText = (text: string): string => maskLines(text.split('\n')).lines.join('\n');

function maskLine(line: string, isInside: boolean): string {
	const plain = line.replace(userInfo, `$1${hidden}@`).replace(opaque, hidden);
	if (/-----BEGIN /.test(line)) return hidden;
	if (!isInside && !sensitive.test(line)) return plain;
	const comment = /--.*$/.exec(plain.replace(literals, ''));
	const masked = plain.replace(literals, `'${hidden}'`).replace(/\[=*\[.*$/, hidden);
	if (comment !== null) return masked.replace(/--.*$/, `-- ${hidden}`);
	// A number, or TOML's bare words, after an equals sign.
	return masked.replace(/=\s*[^\s'"{[(]\S*\d\S*/, `= ${hidden}`);
}

/** The text that ends what this line opens: a key in PEM, or a long bracket of a sensitive line. */
function opensBlock(line: string, isSensitive: boolean): string | null {
	if (/-----BEGIN /.test(line) && !/-----END /.test(line)) return '-----END ';
	const bracket = isSensitive ? /\[(=*)\[(?!.*\]\1\])/.exec(line) : null;
	if (bracket !== null) return `]${bracket[1] ?? ''}]`;
	return isSensitive && /(?:'''|""")(?!.*(?:'''|"""))/.test(line) ? (line.includes("'''") ? "'''" : '"""') : null;
}

function balance(line: string): number {
	const bare = line.replace(literals, '').replace(/--.*$/, '');
	return (bare.match(/\{/g)?.length ?? 0) - (bare.match(/\}/g)?.length ?? 0);
}
