/** What stays of one string, and of one run of numbers, in a record that is over-long. */
const keptBytes = 65_536;

const [quote, backslash, comma] = [0x22, 0x5c, 0x2c];
const isNumeric = (byte: number) => (byte >= 0x30 && byte <= 0x39) || byte === comma || byte === 0x20;

/**
 * Shortens JSON as its bytes come: long strings are cut, long lists of small numbers (how KumoMTA writes a returned message
 * that is not UTF-8) too, and the rest stays, so that a complaint with a large attachment is still a complaint.
 */
export function createShrinker(maxBytes: number): { push: (bytes: Buffer) => void; end: () => string | undefined } {
	const kept: Buffer[] = [];
	let size = 0;
	let inString = false;
	/** Characters that still belong to an escape. */
	let escape = 0;
	let run = 0;
	let dropping = false;

	function keep(bytes: Buffer): void {
		size += bytes.length;
		if (size <= maxBytes) kept.push(Buffer.from(bytes));
	}

	/** Whether this byte stays. */
	function step(byte: number): boolean {
		if (inString) {
			if (escape > 0) {
				escape = escape === 1 && byte === 0x75 ? 4 : escape - 1;
				run += 1;
				return !dropping;
			}
			if (byte === quote) {
				inString = dropping = false;
				run = 0;
				return true;
			}
			dropping ||= run >= keptBytes;
			if (byte === backslash) escape = 1;
			run += 1;
			return !dropping;
		}
		if (isNumeric(byte)) {
			run += 1;
			dropping ||= byte === comma && run >= keptBytes;
			return !dropping;
		}
		inString = byte === quote;
		dropping = false;
		run = 0;
		return true;
	}

	function push(bytes: Buffer): void {
		let from = -1;
		for (let at = 0; at < bytes.length; at += 1) {
			const stays = step(bytes[at] ?? 0);
			if (stays && from < 0) from = at;
			if (!stays && from >= 0) {
				keep(bytes.subarray(from, at));
				from = -1;
			}
		}
		if (from >= 0) keep(bytes.subarray(from));
	}

	return { push, end: () => (size > maxBytes ? undefined : Buffer.concat(kept).toString('utf8')) };
}
