/**
 * One sample of the Prometheus text format. Values of labels may hold unescaped quotes (queue names come from clients):
 * so the value is what stands behind the last `}`, and what cannot be read is skipped, never an error.
 */
export function sampleOf(line: string): { name: string; labels: string; value: number } | undefined {
	if (line === '' || line.startsWith('#')) return undefined;
	const name = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(line)?.[0];
	if (name === undefined) return undefined;
	const end = line[name.length] === '{' ? line.lastIndexOf('}') : name.length - 1;
	if (end < name.length - 1) return undefined;
	const value = Number(
		line
			.slice(end + 1)
			.trim()
			.split(/\s+/)[0] || NaN
	);
	return !Number.isFinite(value)
		? undefined
		: { name, labels: line.slice(name.length + 1, Math.max(end, name.length + 1)), value };
}

/** Lines of a byte stream; one longer than `maxLine` is dropped whole. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>, maxLine = 65_536): AsyncGenerator<string> {
	const decoder = new TextDecoder();
	let rest = '';
	let isOversized = false;
	for await (const chunk of chunks) {
		const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
		rest = lines.pop() ?? '';
		for (const line of lines) {
			if (!isOversized) yield line;
			isOversized = false;
		}
		if (rest.length > maxLine) {
			rest = '';
			isOversized = true;
		}
	}
	if (rest !== '' && !isOversized) yield rest;
}
