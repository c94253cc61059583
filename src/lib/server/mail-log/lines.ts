import { createShrinker } from './shrink.ts';

/** A record is some kilobytes, unless a complaint returns the whole message. */
const wholeBytes = 262_144;
const shrunkBytes = 1_048_576;

/** Undefined: a line that is over-long even when it is shortened. */
export type Line = string | undefined;

export interface LineSplitter {
	/** The lines that these bytes complete. */
	push: (bytes: Buffer) => Line[];
	/** What stands behind the last line break; empty when nothing does. */
	rest: () => Line;
}

/** Cuts bytes into lines with bounded memory, whatever comes. */
export function createLineSplitter(): LineSplitter {
	let parts: Buffer[] = [];
	let size = 0;
	let shrinker: ReturnType<typeof createShrinker> | undefined;

	function add(bytes: Buffer): void {
		size += bytes.length;
		if (shrinker !== undefined) return shrinker.push(bytes);
		parts.push(bytes);
		if (size <= wholeBytes) return;
		shrinker = createShrinker(shrunkBytes);
		for (const each of parts.splice(0)) shrinker.push(each);
	}

	function take(): Line {
		const line = shrinker === undefined ? Buffer.concat(parts, size).toString('utf8') : shrinker.end();
		parts = [];
		size = 0;
		shrinker = undefined;
		return line;
	}

	function push(bytes: Buffer): Line[] {
		const lines: Line[] = [];
		let from = 0;
		for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
			add(bytes.subarray(from, end));
			lines.push(take());
			from = end + 1;
		}
		if (from < bytes.length) add(bytes.subarray(from));
		return lines;
	}

	return { push, rest: take };
}
