/** One line of a unified difference. `gap` stands for lines that are equal and not shown. */
export interface DiffLine {
	kind: 'same' | 'removed' | 'added' | 'gap';
	/** Line numbers from 1; null on the side where the line is not. */
	was: number | null;
	now: number | null;
	text: string;
}

export interface LineDiff {
	lines: DiffLine[];
	added: number;
	removed: number;
	/** False: too different to be aligned within the bounds; the part in question is shown as removed and added. */
	isExact: boolean;
}

/** Lines of context around a difference. */
const context = 3;
/** Edits that are followed before a part counts as replaced: the trace takes at most the square of it, in 4-byte numbers. */
const mostEdits = 800;

type Step = [kind: 'same' | 'removed' | 'added', was: number, now: number];

/** The unified difference of two texts. Blocks its thread: it runs in the policy worker. */
export function diffLines(was: string, now: string): LineDiff {
	const [before, after] = [linesOf(was), linesOf(now)];
	let head = 0;
	while (head < before.length && head < after.length && before[head] === after[head]) head++;
	let tail = 0;
	while (
		tail < before.length - head &&
		tail < after.length - head &&
		before[before.length - 1 - tail] === after[after.length - 1 - tail]
	)
		tail++;
	const middle = alignment(before.slice(head, before.length - tail), after.slice(head, after.length - tail));
	const steps: Step[] = [
		...Array.from({ length: head }, (_, index): Step => ['same', index, index]),
		...(middle.steps.map(([kind, a, b]) => [kind, a + head, b + head]) as Step[]),
		...Array.from({ length: tail }, (_, index): Step => [
			'same',
			before.length - tail + index,
			after.length - tail + index
		])
	];
	return {
		lines: withContext(steps, before, after),
		added: steps.filter(([kind]) => kind === 'added').length,
		removed: steps.filter(([kind]) => kind === 'removed').length,
		isExact: middle.isExact
	};
}

/** A last line without its line feed is another line than one with it, as in `diff`. */
function linesOf(text: string): string[] {
	if (text === '') return [];
	const lines = text.split('\n');
	if (lines.at(-1) === '') lines.pop();
	else lines.push(`${lines.pop() ?? ''} (no line feed at the end)`);
	return lines;
}

/** E. W. Myers, "An O(ND) difference algorithm and its variations", 1986: the greedy form, with a bound on D. */
function alignment(before: string[], after: string[]): { steps: Step[]; isExact: boolean } {
	const trace: Int32Array[] = [];
	const size = Math.min(before.length + after.length, mostEdits);
	let furthest = new Int32Array(2 * size + 3);
	for (let edits = 0; edits <= size; edits++) {
		trace.push(furthest.slice(size + 1 - edits - 1, size + 1 + edits + 2));
		const next = furthest;
		for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
			const at = size + 1 + diagonal;
			const isDown = diagonal === -edits || (diagonal !== edits && (next[at - 1] ?? 0) < (next[at + 1] ?? 0));
			let x = isDown ? (next[at + 1] ?? 0) : (next[at - 1] ?? 0) + 1;
			while (x < before.length && x - diagonal < after.length && before[x] === after[x - diagonal]) x++;
			next[at] = x;
			if (x >= before.length && x - diagonal >= after.length)
				return { steps: backwards(trace, before, after), isExact: true };
		}
		furthest = next;
	}
	const removed = before.map((_, index): Step => ['removed', index, 0]);
	return { steps: [...removed, ...after.map((_, index): Step => ['added', before.length, index])], isExact: false };
}

/** Entry `edits` of the trace holds diagonals −edits−1 to edits+1 as they were before that round. */
function backwards(trace: Int32Array[], before: string[], after: string[]): Step[] {
	const steps: Step[] = [];
	let [x, y] = [before.length, after.length];
	for (let edits = trace.length - 1; edits >= 0; edits--) {
		const furthest = (diagonal: number) => trace[edits]?.[diagonal + edits + 1] ?? 0;
		const diagonal = x - y;
		const isDown = diagonal === -edits || (diagonal !== edits && furthest(diagonal - 1) < furthest(diagonal + 1));
		const from = isDown ? diagonal + 1 : diagonal - 1;
		const [startX, startY] = edits === 0 ? [0, 0] : [furthest(from), furthest(from) - from];
		while (x > startX && y > startY) steps.push(['same', --x, --y]);
		if (edits === 0) break;
		if (isDown) steps.push(['added', x, --y]);
		else steps.push(['removed', --x, y]);
	}
	return steps.reverse();
}

function withContext(steps: Step[], before: string[], after: string[]): DiffLine[] {
	const shown = new Uint8Array(steps.length);
	for (const [index, [kind]] of steps.entries())
		if (kind !== 'same') shown.fill(1, Math.max(0, index - context), Math.min(steps.length, index + context + 1));
	const lines: DiffLine[] = [];
	for (const [index, [kind, a, b]] of steps.entries()) {
		if (shown[index] === 1)
			lines.push({
				kind,
				was: kind === 'added' ? null : a + 1,
				now: kind === 'removed' ? null : b + 1,
				text: (kind === 'added' ? after[b] : before[a]) ?? ''
			});
		else if (lines.length > 0 && lines.at(-1)?.kind !== 'gap' && shown.indexOf(1, index) >= 0)
			lines.push({ kind: 'gap', was: null, now: null, text: '' });
	}
	return lines;
}
