/**
 * A stranger's text on one line: control, bidirectional and line-breaking characters and lone surrogates become a space,
 * runs of spaces one, and what is longer than `max` characters ends in `…`.
 */
export function plainText(text: string, max: number): string {
	// What is cut away is not looked at: the cost depends on `max` alone.
	const head = text.slice(0, 4 * max + 64);
	const plain = head
		.toWellFormed()
		.replace(/[\p{Cc}\ufffd\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f\ufeff]/gu, ' ')
		.replace(/ {2,}/g, ' ')
		.trim();
	return plain.length <= max && head.length === text.length
		? plain
		: plain.length < max
			? `${plain}…`
			: `${plain
					.slice(0, max - 1)
					.toWellFormed()
					.replace(/\ufffd$/, '')}…`;
}
