const hourMs = 3_600_000;

export type Range = '24h' | '7d';
export const rangeName = (text: string | null): Range => (text === '7d' ? '7d' : '24h');

/** Whole hours up to the running one, so that the same question is asked for an hour. */
export function rangeOf(text: string | null, now: number): { from: number; to: number } {
	const to = Math.floor(now / hourMs + 1) * hourMs;
	return { from: to - (rangeName(text) === '7d' ? 168 : 24) * hourMs, to };
}
