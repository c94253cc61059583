import { z } from 'zod';
import { measureNames } from './watch-judge.ts';
import type { Judgement, WatchSample } from './watch-judge.ts';

export const maxSamples = 60;

const moment = z.int();
const measure = z.object({
	name: z.enum(measureNames),
	verdict: z.enum(['good', 'breach', 'not-judged']),
	text: z.string().max(2000)
});
const sample = z.object({
	ms: z.int(),
	isAlive: z.boolean().nullable(),
	greeted: z.int(),
	silent: z.int(),
	received: z.number().nullable(),
	rejected: z.number().nullable()
});

/** What a watch has seen, as it is kept with the apply and shown. */
export const watchReport = z.object({
	/** `epoch`: the second configuration epoch is awaited; the set time counts from then on. */
	phase: z.enum(['epoch', 'watching', 'confirming', 'ended']),
	startedAt: moment,
	/** When this phase ends if nothing happens, by this server's clock. */
	untilAt: moment,
	endedAt: moment.nullable(),
	verdict: z.enum(['good', 'breach', 'ended-early', 'taken-back', 'not-confirmed', 'broken-off']).nullable(),
	/** How it ended, in words. */
	text: z.string().max(2000),
	measures: z.array(measure),
	samples: z.array(sample).max(maxSamples)
});
export type WatchReport = z.infer<typeof watchReport>;

/** What somebody asked of a watched apply, from any process. */
const wish = z.object({ by: z.string().max(300), at: moment });
const mailbox = z.object({
	report: watchReport.optional().catch(undefined),
	end: z
		.object({ ...wish.shape, takeBack: z.boolean() })
		.optional()
		.catch(undefined),
	confirmed: wish.optional().catch(undefined)
});
export type Mailbox = z.infer<typeof mailbox>;

/** The column `applies.watch`; what does not parse was not written by this version and counts as empty. */
export function mailboxOf(column: unknown): Mailbox {
	const parsed = mailbox.safeParse(column);
	return parsed.success ? parsed.data : {};
}

/** At most 60 samples, evenly thinned; the last one and failures stay. */
export function condense(samples: readonly WatchSample[]): WatchReport['samples'] {
	const all = samples.map(({ ms, alive, greetings = [], counters }): WatchReport['samples'][number] => ({
		ms: Math.round(ms),
		isAlive: alive?.isGood ?? null,
		greeted: greetings.filter(({ isGood }) => isGood).length,
		silent: greetings.filter(({ isGood }) => !isGood).length,
		received: counters?.received ?? null,
		rejected: counters?.rejected ?? null
	}));
	if (all.length <= maxSamples) return all;
	const isFailure = ({ isAlive, silent }: (typeof all)[number]) => isAlive === false || silent > 0;
	const failures = new Set(all.filter(isFailure).slice(-maxSamples / 2));
	const step = all.length / (maxSamples - failures.size - 1);
	const kept = new Set([...failures, ...all.slice(-1)]);
	for (let at = 0; at < all.length && kept.size < maxSamples; at += step) {
		const one = all[Math.floor(at)];
		if (one !== undefined) kept.add(one);
	}
	return all.filter((one) => kept.has(one));
}

/** The measures as lines of the step's output. */
export const linesOf = ({ measures }: Judgement): string[] =>
	measures.map(({ name, verdict, text }) => `${verdict === 'breach' ? 'BREACH' : verdict} ${name}: ${text}`);
