import { describe, expect, it } from 'vitest';
import { growthOf, judge } from './watch-judge.ts';
import { countedBefore } from './watch-meter.ts';
import type { Before, Counters, Measure, WatchSample } from './watch-judge.ts';

const alive = (...looks: boolean[]): WatchSample[] =>
	looks.map((isGood, index) => ({ ms: index * 1000, alive: { isGood, detail: isGood ? '' : 'load shedding' } }));
const greets = (listener: string, ...details: (string | null)[]): WatchSample[] =>
	details.map((detail, index) => ({
		ms: index * 1000,
		greetings: [{ listener, isGood: detail === null, detail: detail ?? '220 mta' }]
	}));
const counts = (...counters: Counters[]): WatchSample[] =>
	counters.map((each, index) => ({ ms: index * 10_000, counters: each }));
const quiet: Before = {
	spanMs: 900_000,
	growth: { received: 1000, rejected: 0, delivered: 1000, deferred: 100, cacheErrors: 0 }
};

describe('the judge of a watch', () => {
	it.each<[string, Measure['name'], Before | undefined, WatchSample[], Measure['verdict'], string]>([
		['nothing seen', 'liveness', quiet, [], 'not-judged', 'Not asked'],
		['always alive', 'liveness', quiet, alive(true, true), 'good', '2 of 2'],
		['away once', 'liveness', quiet, alive(true, false, true, false, true), 'good', 'never twice in a row'],
		['away twice in a row', 'liveness', quiet, alive(true, false, false, true), 'breach', 'load shedding'],
		['nobody asked', 'greetings', quiet, alive(true), 'not-judged', 'No listener'],
		['a listener that greets', 'greetings', quiet, greets(':25', null, null), 'good', '2 of 2'],
		['a listener silent once', 'greetings', quiet, greets(':25', null, 'no answer', null), 'good', '2 of 3'],
		['a listener silent twice', 'greetings', quiet, greets(':25', null, 'no answer', 'no answer'), 'breach', ':25'],
		['two listeners, each once', 'greetings', quiet, [...greets(':25', 'x'), ...greets(':587', 'x')], 'good', '0 of 2'],
		[
			'two internal errors',
			'internal-errors',
			quiet,
			greets(':25', 'it answered: 421 4.3.0 mta technical difficulties', null, '421 4.3.0 x'),
			'breach',
			'2 of 3'
		],
		['an internal error', 'internal-errors', quiet, greets(':25', '421 4.3.0 x', null), 'good', '1 of 2'],
		['too many connections', 'internal-errors', quiet, greets(':25', '421 4.3.2 x', '421 4.3.2 x'), 'good', '0 of 2'],
		['no counter of look-ups', 'cache-errors', quiet, counts({}), 'not-judged', 'no errors'],
		[
			'two failed look-ups',
			'cache-errors',
			quiet,
			counts({ cacheErrors: 5 }, { cacheErrors: 7 }),
			'good',
			'2 look-ups'
		],
		[
			'three failed look-ups',
			'cache-errors',
			quiet,
			counts({ cacheErrors: 5 }, { cacheErrors: 8 }),
			'breach',
			'3 look-ups'
		],
		['the first failed look-ups', 'cache-errors', undefined, counts({}, { cacheErrors: 3 }), 'breach', '3 look-ups'],
		[
			'as many as before',
			'cache-errors',
			{ spanMs: 900_000, growth: { cacheErrors: 90 } },
			counts({ cacheErrors: 0 }, { cacheErrors: 6 }),
			'good',
			'6 look-ups'
		],
		['counters unread', 'rejected', quiet, alive(true), 'not-judged', 'could not be read'],
		[
			'no traffic',
			'rejected',
			quiet,
			counts({ received: 5, rejected: 0 }, { received: 5, rejected: 0 }),
			'not-judged',
			'No traffic, not judged'
		],
		[
			'49 events',
			'rejected',
			quiet,
			counts({ received: 0, rejected: 0 }, { received: 0, rejected: 49 }),
			'not-judged',
			'not enough traffic'
		],
		[
			'50 events, all rejected',
			'rejected',
			quiet,
			counts({ received: 0, rejected: 0 }, { received: 0, rejected: 50 }),
			'breach',
			'100 %'
		],
		[
			'19 points',
			'rejected',
			quiet,
			counts({ received: 0, rejected: 0 }, { received: 81, rejected: 19 }),
			'good',
			'19 %'
		],
		[
			'20 points',
			'rejected',
			quiet,
			counts({ received: 0, rejected: 0 }, { received: 80, rejected: 20 }),
			'breach',
			'20 %'
		],
		[
			'much before too',
			'rejected',
			{ spanMs: 900_000, growth: { received: 30, rejected: 70 } },
			counts({ received: 0, rejected: 0 }, { received: 5, rejected: 95 }),
			'good',
			'70 %'
		],
		[
			'nothing before',
			'rejected',
			undefined,
			counts({ received: 0, rejected: 0 }, { received: 0, rejected: 80 }),
			'not-judged',
			'too little traffic before'
		],
		[
			'a restart in between',
			'rejected',
			quiet,
			counts({ received: 900, rejected: 800 }, { received: 60, rejected: 0 }),
			'good',
			'0 of 60'
		],
		[
			'deferred as before',
			'deferred',
			quiet,
			counts({ delivered: 0, deferred: 0 }, { delivered: 90, deferred: 10 }),
			'good',
			'10 %'
		],
		[
			'deferred twice as much',
			'deferred',
			quiet,
			counts({ delivered: 0, deferred: 0 }, { delivered: 60, deferred: 40 }),
			'breach',
			'40 %'
		],
		['only failures counted', 'deferred', quiet, counts({}, { deferred: 60 }), 'breach', '60 of 60'],
		[
			'refused for good twice as much',
			'failed',
			{ spanMs: 900_000, growth: { delivered: 950, failed: 50 } },
			counts({ delivered: 0, failed: 0 }, { delivered: 70, failed: 30 }),
			'breach',
			'30 of 100 deliveries were refused for good'
		],
		[
			'refused for good as before',
			'failed',
			{ spanMs: 900_000, growth: { delivered: 950, failed: 50 } },
			counts({ delivered: 0, failed: 0 }, { delivered: 94, failed: 6 }),
			'good',
			'6 %'
		]
	])('%s: %s', (_, name, before, samples, verdict, words) => {
		const judgement = judge(before, samples, 60_000);
		const measure = judgement.measures.find((each) => each.name === name);
		expect(measure).toMatchObject({ verdict, text: expect.stringContaining(words) as string });
		expect(judgement.isBreach).toBe(judgement.measures.some((each) => each.verdict === 'breach'));
	});

	it('answers every measure, whatever it saw', () => {
		expect(judge(undefined, [], 0).measures.map(({ verdict }) => verdict)).toEqual(Array(7).fill('not-judged'));
	});
});

describe('what was counted before an apply', () => {
	const snapshot = (at: number, sums: Record<string, number> = {}) => ({ at, sums: new Map(Object.entries(sums)) });
	const source = (...snapshots: ReturnType<typeof snapshot>[]) => ({
		latest: () => snapshots.at(-1) ?? null,
		snapshots: () => snapshots,
		poll: () => Promise.resolve()
	});

	it.each([
		['a panel without a poller', undefined],
		['a panel that has just started', source()],
		['one look since the start', source(snapshot(1000, { 'total_messages_received{esmtp_listener}': 5 }))]
	])('is unknown to %s, so shares are not judged', (_, metrics) => {
		expect(countedBefore(metrics)).toBeUndefined();
		const verdicts = judge(countedBefore(metrics), counts({}, { rejected: 80, deferred: 80, failed: 80 }), 60_000);
		expect(verdicts.isBreach).toBe(false);
	});

	it('is the growth over the time that was seen, from the roll-ups alone', () => {
		const before = countedBefore(
			source(
				snapshot(1000, {
					'total_messages_fail{smtp_client}': 5,
					'total_messages_fail{smtp_client:mx.example}': 5,
					'lruttl_error_count{kumomta_ui_sender}': 1,
					'lruttl_error_count{dns_mx}': 100
				}),
				snapshot(61_000, {
					'total_messages_fail{smtp_client}': 9,
					'total_messages_fail{smtp_client:mx.example}': 9,
					'lruttl_error_count{kumomta_ui_sender}': 3,
					'lruttl_error_count{dns_mx}': 900
				})
			)
		);
		expect(before).toEqual({ spanMs: 60_000, growth: { failed: 4, cacheErrors: 2 } });
	});
});

describe('the growth of a counter', () => {
	it.each<[(number | undefined)[], number | undefined]>([
		[[], undefined],
		[[undefined, undefined], undefined],
		[[5], 0],
		[[5, 9, 12], 7],
		[[5, 2, 4], 4],
		[[5, undefined, 3], 3],
		[[undefined, 4], 4],
		[[5, 5, 0, 0], 0]
	])('%j is %s', (values, growth) => {
		const samples = values.map((received): Counters => (received === undefined ? {} : { received }));
		expect(growthOf(samples, 'received')).toBe(growth);
	});
});
