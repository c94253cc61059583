import { setImmediate as nextTurn } from 'node:timers/promises';
import { KumodError } from './http.ts';
import { maxCaches, metricFamilies } from './metric-families.ts';
import type { MetricFamily } from './metric-families.ts';
import { linesOf, sampleOf } from './metrics.ts';
import type { MetricsSnapshot } from './metrics-cache.ts';

/** A node with a million live queues stays below it. */
const maxBytes = 512 * 1024 * 1024;
/** After this much text, other work of the process has its turn. */
const bytesPerTurn = 256 * 1024;

/** Reads a whole answer of `/metrics`, of which it keeps the few numbers of `metricFamilies`. */
export async function readSnapshot(chunks: AsyncIterable<Uint8Array>): Promise<Omit<MetricsSnapshot, 'at'>> {
	const sums = new Map<string, number>();
	const caches = new Map<string, number>();
	const end = { isLineEnd: false };
	let isMetrics = false;
	for await (const line of linesOf(bounded(chunks, end))) {
		isMetrics ||= line.startsWith('# TYPE ');
		const name = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(line)?.[0];
		const family = name === undefined ? undefined : metricFamilies.get(name);
		const sample = family && sampleOf(line);
		if (family === undefined || sample === undefined) continue;
		const key = keyOf(family, sample, sums, caches);
		if (key !== undefined) sums.set(key, (sums.get(key) ?? 0) + sample.value);
	}
	if (!isMetrics && sums.size === 0) throw unusable('what answers there gives no metrics');
	// The text format ends with a line feed; half an answer would look as if counters had vanished.
	if (!end.isLineEnd) throw unusable('its metrics broke off');
	return { sums, loads: sums.get('lua_load_count') };
}

function keyOf(
	{ keep, label }: MetricFamily,
	{ name, labels }: { name: string; labels: string },
	sums: Map<string, number>,
	caches: Map<string, number>
): string | undefined {
	if (keep === 'sum') return name;
	const start = `${label}="`;
	if (!labels.startsWith(start) || !labels.endsWith('"')) return undefined;
	const value = labels.slice(start.length, -1);
	const key = `${name}{${value}}`;
	if (keep !== 'caches') return keep.values.includes(value) ? key : undefined;
	if (sums.has(key)) return key;
	const known = caches.get(name) ?? 0;
	if (known >= maxCaches || !/^[\w.:-]{1,64}$/.test(value)) return undefined;
	caches.set(name, known + 1);
	return key;
}

async function* bounded(chunks: AsyncIterable<Uint8Array>, end: { isLineEnd: boolean }): AsyncGenerator<Uint8Array> {
	let read = 0;
	let sinceTurn = 0;
	for await (const chunk of chunks) {
		read += chunk.length;
		sinceTurn += chunk.length;
		if (read > maxBytes) throw unusable(`its metrics are longer than ${maxBytes / 1024 / 1024} MB`);
		if (chunk.length > 0) end.isLineEnd = chunk.at(-1) === 0x0a;
		yield chunk;
		if (sinceTurn < bytesPerTurn) continue;
		sinceTurn = 0;
		await nextTurn();
	}
}

function unusable(why: string): KumodError {
	return new KumodError(
		`KumoMTA's metrics could not be read: ${why}. The numbers known before stay. Look whether KUMOD_API names KumoMTA.`,
		'kumomta-unknown-answer',
		200
	);
}
