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

/**
 * A page of a difference. What may be a secret is masked after the comparison, so that a changed secret still shows as a
 * changed line.
 * @throws UserError cursor-mismatch
 */
export function cutLines(
	{ lines, added, removed, isExact }: LineDiff,
	{ cursor, hides }: { cursor?: string | undefined; hides: boolean }
): LinePage {
	const start = cursor === undefined ? 0 : Number(/^l(\d{1,7})$/.exec(cursor)?.[1] ?? NaN);
	if (!(start <= lines.length))
		throw new UserError('BAD_REQUEST', 'This cursor belongs to another file. Start again from the first page.', {
			reason: 'cursor-mismatch',
			field: 'cursor'
		});
	const masked = hides ? maskDiff(lines) : { lines, count: 0 };
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
function maskDiff(lines: DiffLine[]): { lines: DiffLine[]; count: number } {
	const was = sideOf(lines, 'added');
	const now = sideOf(lines, 'removed');
	const shown = lines.map((line, index) => ({ ...line, text: (now.get(index) ?? was.get(index)) || '' }));
	return { lines: shown, count: shown.filter(({ text }, index) => text !== lines[index]?.text).length };
}

function sideOf(lines: DiffLine[], left: 'added' | 'removed'): Map<number, string> {
	const places = [...lines.entries()].filter(([, { kind }]) => kind !== left);
	const { lines: masked } = maskLines(places.map(([, { text }]) => text));
	return new Map(places.map(([index], at) => [index, masked[at] ?? '']));
}
