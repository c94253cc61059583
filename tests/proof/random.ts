/** Random numbers that a seed repeats: mulberry32. */
export interface Random {
	/** At least 0, below `limit`. */
	below: (limit: number) => number;
	/** True in `percent` of 100 cases. */
	chance: (percent: number) => boolean;
	pick: <T>(items: readonly T[]) => T;
}

export function createRandom(seed: number): Random {
	let state = seed >>> 0;
	function next(): number {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	}
	const below = (limit: number) => Math.floor(next() * limit);
	return {
		below,
		chance: (percent) => next() * 100 < percent,
		pick: (items) => items[below(items.length)] as (typeof items)[number]
	};
}
