import { afterEach, describe, expect, it } from 'vitest';
import { testClock } from '../../../../tests/support/app.ts';
import { startKumodDouble } from '../../../../tests/support/kumod-http-double.ts';
import { Secret } from '../core/secret.ts';
import { createKumod } from './client.ts';
import { createMetricsCache, increase, ringMs } from './metrics-cache.ts';
import type { MetricsSnapshot } from './metrics-cache.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
	for (const close of closers.splice(0)) await close();
});

async function polled() {
	const double = await startKumodDouble();
	const clock = testClock();
	const cache = createMetricsCache(createKumod(double.url), clock.now);
	closers.push(() => double.close());
	const next = async (ms = 10_000) => {
		clock.advance(ms);
		await cache.poll();
	};
	return { double, clock, cache, next, startedAt: clock.now() };
}

describe('what is known of KumoMTA', () => {
	it('is nothing before the first poll', async () => {
		const { cache, startedAt } = await polled();
		expect(cache.state()).toEqual({ state: 'never', sinceAt: startedAt });
		expect(cache.latest()).toBeNull();
	});

	it('is since when it answers, is away, and answers again', async () => {
		const { double, cache, clock, next } = await polled();
		await next();
		const answeringAt = clock.now();
		await next();
		expect(cache.state()).toMatchObject({
			state: 'answering',
			sinceAt: answeringAt,
			lastSeenAt: clock.now(),
			version: '2026.03.04-bb93ecb1'
		});
		const lastSeenAt = clock.now();
		await double.close();
		await next();
		const awayAt = clock.now();
		await next();
		expect(cache.state()).toMatchObject({ state: 'away', sinceAt: awayAt, lastSeenAt });
		expect(cache.state().detail).toContain('cannot be reached');
		const again = await startKumodDouble(double.port);
		closers[0] = () => again.close();
		await next();
		expect(cache.state()).toMatchObject({ state: 'answering', sinceAt: clock.now() });
		expect(cache.state()).not.toHaveProperty('detail');
	});

	it('is never, with the reason, while it did not answer once', async () => {
		const { double, cache, next, startedAt } = await polled();
		double.script.metrics = { status: 503, text: 'load shedding' };
		await next();
		expect(cache.state()).toMatchObject({ state: 'never', sinceAt: startedAt });
		expect(cache.state().detail).toContain('HTTP 503: load shedding');
	});

	it('is a refusal when the credential is wrong', async () => {
		const { double, cache, clock, next } = await polled();
		double.script.credential = 'canary';
		await next();
		expect(cache.state()).toMatchObject({ state: 'refusing', sinceAt: clock.now(), lastSeenAt: clock.now() });
		await cache.poll({ user: 'kumomta-ui', password: new Secret('canary') });
		expect(cache.state().state).toBe('answering');
	});

	it.each([
		['breaks', 'breaks' as const],
		['is a page of another server', { status: 200, text: '<html>\n' }],
		['is an error', { status: 500, text: 'Error: no' }]
	])('keeps the numbers when an answer %s', async (_what, metrics) => {
		const { double, cache, next } = await polled();
		await next();
		const latest = cache.latest();
		double.script.metrics = metrics;
		await next();
		expect(cache.state().state).toBe('away');
		expect(cache.latest()).toBe(latest);
	});

	it('follows no redirect, so that the credential stays where it belongs', async () => {
		const other = await polled();
		const { createServer } = await import('node:http');
		const server = createServer((_, response) =>
			response.writeHead(302, { location: `${other.double.url}/metrics` }).end()
		);
		await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
		closers.push(() => new Promise((resolve) => void server.close(() => resolve()).closeAllConnections()));
		const { port } = server.address() as { port: number };
		const cache = createMetricsCache(createKumod(`http://127.0.0.1:${port}`), testClock().now);
		await cache.poll({ user: 'kumomta-ui', password: new Secret('canary') });
		expect(cache.state().state).toBe('never');
		expect(other.double.requests).toEqual([]);
	});

	it('is asked once at a time, and a poll that stalls ends with the server', async () => {
		const { double, cache } = await polled();
		double.script.metrics = 'stalls';
		const polls = [cache.poll(), cache.poll()];
		while (double.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
		cache.close();
		await Promise.all(polls);
		await cache.poll();
		expect(double.requests).toEqual(['GET /metrics']);
		expect(cache.state().state).toBe('never');
	});

	it('is that it was started anew, once its counters fall or it says so', async () => {
		const { double, cache, clock, next } = await polled();
		await next();
		await next();
		expect(cache.state()).not.toHaveProperty('restartedAt');
		double.script.luaLoadCount = 1;
		await next();
		expect(cache.state().restartedAt).toBe(clock.now());
		const restartedAt = clock.now();
		await next();
		double.script.onlineSince = '2026-01-05T13:00:00Z';
		expect(cache.state().restartedAt).toBe(restartedAt);
		await next();
		expect(cache.state().restartedAt).toBe(clock.now());
	});

	it('goes back a quarter of an hour', async () => {
		const { cache, clock, next } = await polled();
		for (let polls = 0; polls < 100; polls += 1) await next();
		expect(cache.snapshots().length).toBe(91);
		expect(cache.snapshots()[0]?.at).toBe(clock.now() - ringMs);
		clock.advance(-60_000);
		await cache.poll();
		const times = cache.snapshots().map(({ at }) => at);
		expect(times).toEqual([...times].sort((a, b) => a - b));
	});
});

describe('the increase of a counter', () => {
	const ring = (...values: (number | undefined)[]): { snapshots: () => MetricsSnapshot[] } => ({
		snapshots: () =>
			values.map((value, index) => ({
				at: index * 10,
				loads: 1,
				sums: new Map(value === undefined ? [] : [['c', value]])
			}))
	});

	it.each([
		['grows', [5, 7, 12], 0, 20, 7],
		['stands still', [5, 5], 0, 10, 0],
		['begins anew', [5, 2, 4], 0, 20, 4],
		['vanishes', [5, undefined, undefined], 0, 20, 0],
		['vanishes and is back', [5, undefined, 3], 0, 20, 3],
		['is new', [undefined, 4], 0, 10, 4],
		['is asked from between two snapshots', [5, 7, 12], 15, 20, 5],
		['is asked until between two snapshots', [5, 7, 12], 0, 15, 2],
		['is asked from before the first snapshot', [5, 7], -50, 10, 2],
		['is in one snapshot only', [5], 0, 10, null],
		['is in none', [undefined, undefined], 0, 10, null]
	] as const)('that %s', (_what, values, from, to, wanted) => {
		expect(increase(ring(...values), 'c', from, to)).toBe(wanted);
	});
});
