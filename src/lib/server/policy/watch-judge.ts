/** One look at KumoMTA during a watch. */
export interface WatchSample {
	/** Milliseconds since the watch began, by a clock that nobody sets. */
	ms: number;
	/** Absent: not asked this time. */
	alive?: { isGood: boolean; detail: string } | undefined;
	greetings?: { listener: string; isGood: boolean; detail: string }[] | undefined;
	/** KumoMTA's counters; absent when they were not read. */
	counters?: Counters | undefined;
}

/** Undefined: KumoMTA does not show this counter. */
export type Counters = Partial<Record<CounterName, number>>;
export const counterNames = ['received', 'rejected', 'delivered', 'deferred', 'failed', 'cacheErrors'] as const;
export type CounterName = (typeof counterNames)[number];

/** What the counters grew by in the time before the apply; undefined: unknown. */
export interface Before {
	/** Milliseconds that the growth covers; at most a quarter of an hour. */
	spanMs: number;
	growth: Counters;
}

export const measureNames = [
	'liveness',
	'greetings',
	'internal-errors',
	'cache-errors',
	'rejected',
	'deferred',
	'failed'
] as const;
export interface Measure {
	name: (typeof measureNames)[number];
	verdict: 'good' | 'breach' | 'not-judged';
	text: string;
}

export interface Judgement {
	isBreach: boolean;
	measures: Measure[];
}

/**
 * Reasons for the limits. One missed look may be a busy moment, two in a row a second or more apart are not. A share needs
 * 50 events on both sides: below that one sender's mishap moves it by 20 points. It must rise by 20 points and double, so
 * that neither 0.1 % → 0.3 % nor 70 % → 91 % counts. Three errors of our look-ups: one or two may come from the moment of
 * the change itself; as many as before the change are not its doing.
 */
export const limits = { inARow: 2, events: 50, risePoints: 20, riseFactor: 2, cacheErrors: 3, internalErrors: 2 };

/**
 * Judges a revision by what was seen since it went live. Pure.
 * @param now milliseconds since the watch began, by the same clock as the samples.
 */
export function judge(before: Before | undefined, samples: readonly WatchSample[], now: number): Judgement {
	const counters = samples.flatMap((sample) => (sample.counters === undefined ? [] : [sample.counters]));
	const measures = [
		judgeLiveness(samples),
		judgeGreetings(samples),
		judgeInternalErrors(samples),
		judgeCacheErrors(before, counters, now),
		judgeShare('rejected', before, counters),
		judgeShare('deferred', before, counters),
		judgeShare('failed', before, counters)
	];
	return { isBreach: measures.some(({ verdict }) => verdict === 'breach'), measures };
}

function judgeLiveness(samples: readonly WatchSample[]): Measure {
	const looks = samples.flatMap(({ alive }) => (alive === undefined ? [] : [alive]));
	if (looks.length === 0) return notJudged('liveness', 'Not asked yet.');
	const run = longestFailure(looks);
	const missed = looks.filter(({ isGood }) => !isGood);
	const detail = missed.at(-1)?.detail ?? '';
	if (run >= limits.inARow) return breach('liveness', `KumoMTA was not alive ${run} times in a row: ${detail}`);
	const gaps = missed.length === 0 ? '' : ` ${times(missed.length)} it was not, never twice in a row: ${detail}`;
	return good('liveness', `Alive at ${looks.length - missed.length} of ${looks.length} looks.${gaps}`);
}

function judgeGreetings(samples: readonly WatchSample[]): Measure {
	const byListener = new Map<string, { isGood: boolean; detail: string }[]>();
	for (const { listener, ...greeting } of samples.flatMap(({ greetings }) => greetings ?? []))
		byListener.set(listener, [...(byListener.get(listener) ?? []), greeting]);
	if (byListener.size === 0) return notJudged('greetings', 'No listener was asked yet.');
	for (const [listener, greetings] of byListener) {
		const run = longestFailure(greetings);
		const last = greetings.findLast(({ isGood }) => !isGood);
		if (run >= limits.inARow)
			return breach('greetings', `The listener ${listener} did not greet ${run} times in a row: ${last?.detail ?? ''}`);
	}
	const all = [...byListener.values()].flat();
	const met = all.filter(({ isGood }) => isGood).length;
	const who = byListener.size === 1 ? 'The listener greeted' : `${byListener.size} listeners greeted`;
	return good('greetings', `${who} ${met} of ${all.length} times.`);
}

/** KumoMTA has no counter of failed handlers: what it answers to the panel's own greetings is all that can be counted. */
function judgeInternalErrors(samples: readonly WatchSample[]): Measure {
	const all = samples.flatMap(({ greetings }) => greetings ?? []);
	if (all.length === 0) return notJudged('internal-errors', 'No listener was asked yet.');
	const count = all.filter(({ isGood, detail }) => !isGood && isInternalError(detail)).length;
	const text = `${count} of ${all.length} greetings were answered with an internal error (421 4.3.0).`;
	return count >= limits.internalErrors
		? breach('internal-errors', text)
		: good('internal-errors', `${text} KumoMTA counts no others.`);
}

const isInternalError = (detail: string) => /\b421[ -]4\.3\.0\b/.test(detail) || /technical difficulties/i.test(detail);

function judgeCacheErrors(before: Before | undefined, counters: Counters[], now: number): Measure {
	const growth = growthOf(counters, 'cacheErrors');
	if (growth === undefined) return notJudged('cache-errors', 'KumoMTA shows no errors of our look-ups yet.');
	const earlier = before?.growth.cacheErrors;
	const expected = earlier === undefined || before === undefined ? 0 : (earlier * now) / Math.max(before.spanMs, 1);
	const text = `${growth} ${growth === 1 ? 'look-up' : 'look-ups'} of the policy failed.`;
	return growth >= limits.cacheErrors && growth >= limits.riseFactor * expected
		? breach('cache-errors', text)
		: good('cache-errors', text);
}

const shares = {
	rejected: { others: 'received', what: 'rejected', of: 'messages' },
	deferred: { others: 'delivered', what: 'deferred', of: 'deliveries' },
	failed: { others: 'delivered', what: 'refused for good', of: 'deliveries' }
} as const;

function judgeShare(name: keyof typeof shares, before: Before | undefined, counters: Counters[]): Measure {
	const { others, what, of } = shares[name];
	const [bad, rest] = [growthOf(counters, name), growthOf(counters, others)];
	if (counters.length === 0) return notJudged(name, 'KumoMTA’s counters could not be read.');
	const [count, all] = [bad ?? 0, (bad ?? 0) + (rest ?? 0)];
	if (all === 0) return notJudged(name, 'No traffic, not judged.');
	const now = `${count} of ${all} ${of} were ${what}`;
	if (all < limits.events) return notJudged(name, `${now}: not enough traffic (${limits.events}), not judged.`);
	const [oldCount, oldRest] = [before?.growth[name], before?.growth[others]];
	const oldAll = (oldCount ?? 0) + (oldRest ?? 0);
	if (oldAll < limits.events) return notJudged(name, `${now}; too little traffic before to compare with, not judged.`);
	const [share, oldShare] = [count / all, (oldCount ?? 0) / oldAll];
	const text = `${now} (${percent(share)}); before the apply ${percent(oldShare)}.`;
	const isRisen = share - oldShare >= limits.risePoints / 100 && share >= limits.riseFactor * oldShare;
	return isRisen ? breach(name, text) : good(name, text);
}

/**
 * What a counter grew by. One that falls started anew with its process or its queue and counts from 0; one that vanishes
 * does too when it comes back. Undefined: it was never seen.
 */
export function growthOf(counters: readonly Counters[], name: CounterName): number | undefined {
	let last: number | undefined;
	let growth: number | undefined;
	for (const [index, sample] of counters.entries()) {
		const value = sample[name];
		if (value === undefined) {
			if (last !== undefined) last = 0;
			continue;
		}
		// A counter that first appears later came to life during the watch: all of it is growth.
		const from = last ?? (index === 0 ? value : 0);
		growth = (growth ?? 0) + (value >= from ? value - from : value);
		last = value;
	}
	return growth;
}

function longestFailure(looks: readonly { isGood: boolean }[]): number {
	let [run, longest] = [0, 0];
	for (const { isGood } of looks) {
		run = isGood ? 0 : run + 1;
		longest = Math.max(longest, run);
	}
	return longest;
}

const percent = (share: number) => `${Math.round(share * 1000) / 10} %`;
const times = (count: number) => (count === 1 ? 'Once' : `${count} times`);
const good = (name: Measure['name'], text: string): Measure => ({ name, verdict: 'good', text });
const breach = (name: Measure['name'], text: string): Measure => ({ name, verdict: 'breach', text });
const notJudged = (name: Measure['name'], text: string): Measure => ({ name, verdict: 'not-judged', text });
