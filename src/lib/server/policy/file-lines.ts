import { UserError } from '../core/errors.ts';
import type { DiffLine, LineDiff } from './line-diff.ts';
import { maskLines } from './masked-text.ts';

const pageLines = 400;
/** Characters of one line that are shown. */
const shownCharacters = 500;

export interface LinePage {
	lines: DiffLine[];
	note: string | null;
	added: number;
	removed: number;
	nextCursor: string | null;
}

/** A side whose text somebody else wrote is masked as a whole: where a table of secrets begins may lie far above a change. */
export interface ForeignSides {
	was?: string | undefined;
	now?: string | undefined;
}

/**
 * A page of a difference. What may be a secret is masked after the comparison, so that a changed secret still shows as a
 * changed line.
 * @throws UserError cursor-mismatch
 */
export function cutLines(
	{ lines, added, removed, isExact }: LineDiff,
	{ cursor, foreign = {} }: { cursor?: string | undefined; foreign?: ForeignSides }
): LinePage {
	const start = cursor === undefined ? 0 : Number(/^l(\d{1,7})$/.exec(cursor)?.[1] ?? NaN);
	if (!(start <= lines.length))
		throw new UserError('BAD_REQUEST', 'This cursor belongs to another file. Start again from the first page.', {
			reason: 'cursor-mismatch',
			field: 'cursor'
		});
	const masked = maskDiff(lines, foreign);
	const shown = masked.lines.slice(start, start + pageLines).map((line) => ({
		...line,
		text: line.text.length > shownCharacters ? `${line.text.slice(0, shownCharacters)} …` : line.text
	}));
	const end = start + shown.length;
	const notes = [
		...(isExact ? [] : ['The two texts differ too much to be aligned line by line; the part is shown as replaced.']),
		...(masked.count > 0 ? ['What may be a secret is hidden.'] : [])
	];
	return {
		lines: shown,
		note: notes.join(' ') || null,
		added,
		removed,
		nextCursor: end < lines.length ? `l${end}` : null
	};
}

/** Each side is masked by itself, since a table of secrets begins and ends on its own side. */
function maskDiff(lines: DiffLine[], { was, now }: ForeignSides): { lines: DiffLine[]; count: number } {
	const [before, after] = [sideOf(was), sideOf(now)];
	const shown = lines.map((line) => {
		const side = line.kind === 'added' ? after : line.kind === 'removed' ? before : (before ?? after);
		const at = (side === before ? line.was : line.now) ?? 0;
		// Where the other side is not foreign, a line that both have is ours.
		const isOurs = line.kind === 'same' && (before === undefined || after === undefined);
		if (side === undefined || isOurs || !side.changed.has(at)) return line;
		return { ...line, text: side.lines[at - 1] ?? '' };
	});
	return { lines: shown, count: shown.filter((line, index) => line !== lines[index]).length };
}

function sideOf(text: string | undefined): { lines: string[]; changed: Set<number> } | undefined {
	if (text === undefined) return undefined;
	const raw = text.split('\n');
	const { lines } = maskLines(raw);
	return { lines, changed: new Set(raw.flatMap((line, index) => (line === lines[index] ? [] : [index + 1]))) };
}
