/** Of a report's bytes; what stands behind is the message it returns. */
export const maxBytes = 1_048_576;
const maxLines = 60_000;
const maxLine = 8192;

/** Counts what a reader looks at, so that no text, however made, costs more than it may. */
export interface Effort {
	/** Lines, and kilobytes that were decoded. */
	steps: number;
	limit: number;
}

/** Whether one more step may be taken. */
export function step(effort: Effort, count = 1): boolean {
	effort.steps += count;
	return effort.steps <= effort.limit;
}

/** Lines `from` up to `to` of a text: parts share the lines they are made of. */
export interface Lines {
	all: string[];
	from: number;
	to: number;
}

/** CRLF, and CR or LF alone, as reports arrive from old systems and out of files. Over-long lines are cut. */
export function linesOf(text: string): Lines {
	const all: string[] = [];
	const ends = /\r\n|\r|\n/g;
	let from = 0;
	while (all.length < maxLines && from < text.length) {
		const end = ends.exec(text);
		all.push(text.slice(from, Math.min(end?.index ?? text.length, from + maxLine)));
		from = end === null ? text.length : ends.lastIndex;
	}
	return { all, from: 0, to: all.length };
}

export const lineAt = ({ all }: Lines, index: number): string => all[index] ?? '';
