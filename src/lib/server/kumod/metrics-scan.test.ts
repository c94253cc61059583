import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KumodError } from './http.ts';
import { maxCaches, metricFamilies } from './metric-families.ts';
import { readSnapshot } from './metrics-scan.ts';

const sample = readFileSync(join(import.meta.dirname, '../../../../tests/fixtures/metrics.txt'), 'utf8');

async function* inPieces(text: string | Buffer, size = 7): AsyncGenerator<Uint8Array> {
	const bytes = Buffer.from(text);
	for (let at = 0; at < bytes.length; at += size) yield Promise.resolve(bytes.subarray(at, at + size));
}

const read = (text: string) => readSnapshot(inPieces(text));
const alive = '# TYPE lua_load_count counter\nlua_load_count 3\n';

describe('an answer of /metrics', () => {
	it('gives few numbers, whatever the number of queues', async () => {
		const { sums, loads } = await read(sample);
		expect(loads).toBe(12);
		expect(Object.fromEntries(sums)).toEqual({
			'connection_count{esmtp_listener}': 4,
			'connection_count{smtp_client}': 7,
			'lruttl_error_count{dns_resolver}': 2,
			'lruttl_error_count{senders}': 1,
			lua_load_count: 12,
			ready_count: 13,
			'smtp_server_rejections{total}': 6,
			'total_messages_received{esmtp_listener}': 1500,
			'total_messages_received{http_listener}': 20
		});
	});

	it.each([
		['NaN', 'bind_failures NaN', undefined],
		['Inf', 'bind_failures +Inf', undefined],
		['Infinity', 'bind_failures Infinity', undefined],
		['an exponent', 'bind_failures 1.5e3', 1500],
		['a time behind it', 'bind_failures 5 1700000000', 5],
		['no value', 'bind_failures', undefined],
		['words', 'bind_failures many', undefined],
		['a label that never ends', 'bind_failures{a="b 5', undefined],
		['a carriage return', 'bind_failures 5\r', 5],
		['a line of megabytes', `bind_failures{a="${'x'.repeat(3_000_000)}"} 5`, undefined]
	])('is read with %s', async (_what, line, value) => {
		const { sums, loads } = await readSnapshot(inPieces(`${alive}${line}\n`, 65_536));
		expect([sums.get('bind_failures'), loads]).toEqual([value, 3]);
	});

	it('is not taken in by a name of a client that looks like a roll-up', async () => {
		const { sums } = await read(`${alive}connection_count{service="x",service="smtp_client"} 9\n`);
		expect(sums.size).toBe(1);
	});

	it('keeps a bounded number of caches', async () => {
		const caches = Array.from({ length: 500 }, (_, number) => `lruttl_error_count{cache_name="c${number}"} 1\n`);
		const { sums } = await read(alive + caches.join('') + caches.join(''));
		expect(sums.size).toBe(maxCaches + 1);
		expect(sums.get('lruttl_error_count{c0}')).toBe(2);
	});

	it.each([
		['HTML', '<!doctype html>\n<title>Welcome</title>\n', 'gives no metrics'],
		['nothing', '', 'gives no metrics'],
		['JSON', '{"lua_load_count":3}\n', 'gives no metrics'],
		['half a line at its end', `${alive}bind_fail`, 'broke off']
	])('is refused when it is %s', async (_what, text, why) => {
		await expect(read(text)).rejects.toThrow(why);
		await expect(read(text)).rejects.toBeInstanceOf(KumodError);
	});

	it('never fails on hostile lines, never keeps more than it names, and still finds what stands between them', async () => {
		const name = fc.constantFrom(...metricFamilies.keys());
		const hostile = fc
			.tuple(name, fc.string({ unit: 'binary', maxLength: 60 }), fc.string({ maxLength: 12 }))
			.map(([metric, labels, value]) => `${metric}{${labels}} ${value}`);
		const line = fc.oneof(hostile, fc.string({ unit: 'binary', maxLength: 80 }));
		const property = fc.asyncProperty(fc.array(line, { maxLength: 30 }), async (lines) => {
			const text = lines.map((each) => each.replaceAll('\n', ' ').replaceAll('lua_load_count', 'lua')).join('\n');
			const { sums, loads } = await read(`${text}\n${alive}`);
			expect(loads).toBe(3);
			expect(sums.size).toBeLessThan(metricFamilies.size * 3 + 30);
			expect([...sums.values()].every(Number.isFinite)).toBe(true);
		});
		await fc.assert(property, { numRuns: 500 });
	});

	it('of 200 MB is read in little memory, while other work has its turn', async () => {
		const piece = Buffer.from(
			'scheduled_count{queue="a@example.com"} 5\nready_count{service="smtp_client:a->b"} 1\n'.repeat(800)
		);
		async function* endless(): AsyncGenerator<Uint8Array> {
			yield await Promise.resolve(Buffer.from(alive));
			for (let sent = 0; sent < 200 * 1024 * 1024; sent += piece.length) yield piece;
		}
		let turns = 0;
		const timer = setInterval(() => (turns += 1), 1);
		const before = process.memoryUsage().rss;
		const { sums } = await readSnapshot(endless());
		clearInterval(timer);
		const pieces = Math.ceil((200 * 1024 * 1024) / piece.length);
		expect(sums.get('ready_count')).toBe(pieces * 800);
		expect(turns).toBeGreaterThan(100);
		expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
	}, 30_000);
});
