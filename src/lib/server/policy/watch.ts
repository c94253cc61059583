import { setTimeout as wait } from 'node:timers/promises';
import type { Host } from '../host/host.ts';
import type { Kumod } from '../kumod/client.ts';
import type { Credential } from '../kumod/http.ts';
import type { ProbeTarget } from './probe.ts';
import type { StepResult } from './step-result.ts';
import { judge } from './watch-judge.ts';
import type { Before, Judgement, WatchSample } from './watch-judge.ts';
import { countersOf } from './watch-meter.ts';
import type { MetricsSource } from './watch-meter.ts';
import { condense, linesOf } from './watch-report.ts';
import type { Mailbox, WatchReport } from './watch-report.ts';

/** Time that nobody sets: a wall clock that jumps neither ends nor extends a watch. */
export interface Timer {
	/** Milliseconds from some start. */
	now(): number;
	sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const usualTimer: Timer = {
	now: () => performance.now(),
	sleep: (ms, signal) => wait(ms, undefined, { signal }).catch(() => undefined)
};

/** How long somebody has to confirm, in milliseconds. */
export const confirmMs = 300_000;
const pollMs = 1000;
const greetEveryMs = 5000;
const countEveryMs = 10_000;

export interface Watch {
	host: Host;
	kumod: Kumod;
	credential: Credential | undefined;
	listeners: ProbeTarget['listeners'];
	greetMs: number;
	metrics: MetricsSource | undefined;
	/** What was counted before the swap. */
	before: Before | undefined;
	watchMs: number;
	mustConfirm: boolean;
	/** The configuration epoch that is still owed: in how many milliseconds, and how it is paid. */
	secondEpoch: { inMs: number; pay: () => Promise<string> } | undefined;
	/** Wall clock, for what people read. */
	clock: () => number;
	timer: Timer;
	/** The server is stopping. */
	stop: AbortSignal;
	readMailbox: () => Promise<Mailbox>;
	post: (report: WatchReport) => Promise<void>;
	postConfirmUntil: (at: number) => Promise<void>;
	/** The lines of the step while it runs. */
	say(output: string): void;
}

type Verdict = NonNullable<WatchReport['verdict']>;
type Phase = WatchReport['phase'];
type End = { verdict: Verdict; text: string } | undefined;

/** What became of the watch; `left`: the server stopped while a confirmation was awaited, and the next start settles it. */
export type WatchResult = StepResult & { end: 'kept' | 'back' | 'left' };

/** One watch while it runs. */
interface Course extends Watch {
	start: number;
	startedAt: number;
	samples: WatchSample[];
	notes: string[];
	greetedAt: number;
	countedAt: number;
	failing: Set<string>;
}

/** Watches a revision that went live, until its time is over, it breaks a limit, or somebody decides. */
export async function watchRevision(watch: Watch): Promise<WatchResult> {
	const course: Course = {
		...watch,
		start: watch.timer.now(),
		startedAt: watch.clock(),
		samples: [],
		notes: [],
		greetedAt: -Infinity,
		countedAt: -Infinity,
		failing: new Set()
	};
	await watch.host.faultPoint('watch.begun');
	let end: End;
	if (watch.secondEpoch !== undefined && watch.watchMs > 0) {
		end = await phase(course, 'epoch', watch.secondEpoch.inMs);
		if (end === undefined) course.notes.push(await watch.secondEpoch.pay());
		await watch.host.faultPoint('watch.epoch-paid');
	}
	if (end === undefined && watch.watchMs > 0) end = await phase(course, 'watching', watch.watchMs);
	await watch.host.faultPoint('watch.judged');
	if (watch.mustConfirm && (end === undefined || end.verdict === 'ended-early')) end = await confirmation(course);
	return finish(course, end ?? { verdict: 'good', text: 'Nothing broke a limit.' });
}

/** Answers why it ended before its time; undefined: its time is over and all was well. */
async function phase(course: Course, name: Phase, lengthMs: number): Promise<End> {
	const until = course.timer.now() + lengthMs;
	const untilAt = course.clock() + lengthMs;
	for (;;) {
		await look(course, lengthMs);
		const judgement = judgeNow(course);
		const end = brokenLimit(judgement) ?? (await wished(course, name)) ?? stopped(course);
		await tell(course, { phase: name, untilAt, judgement });
		const left = until - course.timer.now();
		if (end !== undefined || left <= 0) return end;
		await course.timer.sleep(Math.min(pollMs, left), course.stop);
	}
}

async function confirmation(course: Course): Promise<End> {
	await course.postConfirmUntil(course.clock() + confirmMs);
	await course.host.faultPoint('watch.confirming');
	const end = await phase(course, 'confirming', confirmMs);
	await course.host.faultPoint('watch.confirmed');
	return end ?? { verdict: 'not-confirmed', text: `Nobody confirmed it in ${confirmMs / 60_000} minutes.` };
}

async function wished({ readMailbox }: Course, name: Phase): Promise<End> {
	const { end, confirmed } = await readMailbox().catch((): Mailbox => ({}));
	if (end?.takeBack === true) return { verdict: 'taken-back', text: `${end.by} took it back.` };
	if (name === 'confirming')
		return confirmed === undefined ? undefined : { verdict: 'good', text: `${confirmed.by} confirmed it.` };
	return end === undefined ? undefined : { verdict: 'ended-early', text: `${end.by} ended the watch and kept it.` };
}

const brokenLimit = ({ isBreach, measures }: Judgement): End =>
	isBreach
		? {
				verdict: 'breach',
				text: measures
					.filter(({ verdict }) => verdict === 'breach')
					.map(({ text }) => text)
					.join(' ')
			}
		: undefined;

const stopped = ({ stop }: Course): End =>
	stop.aborted ? { verdict: 'broken-off', text: 'Not judged: the panel stopped.' } : undefined;

const judgeNow = ({ before, samples, timer, start }: Course) => judge(before, samples, timer.now() - start);

/** Asks what is due. A listener that failed is asked again at once, so that two failures are a second apart. */
async function look(course: Course, lengthMs: number): Promise<void> {
	const { kumod, credential, timer, start, metrics, failing } = course;
	const now = timer.now();
	const isGreetingDue = now - course.greetedAt >= Math.min(greetEveryMs, lengthMs / 4);
	const asked = course.listeners.filter((each) => isGreetingDue || failing.has(nameOf(each)));
	if (isGreetingDue) course.greetedAt = now;
	if (metrics !== undefined && now - course.countedAt >= countEveryMs) {
		course.countedAt = now;
		// The page and the judge work with what was read last when KumoMTA does not answer.
		await metrics.poll(credential).catch(() => undefined);
	}
	const [liveness, greetings] = await Promise.all([
		kumod.checkLiveness(),
		Promise.all(asked.map((listener) => greet(course, listener)))
	]);
	const latest = metrics?.latest();
	course.samples.push({
		ms: now - start,
		alive: { isGood: liveness.state === 'alive', detail: liveness.state === 'alive' ? '' : liveness.detail },
		greetings,
		counters: latest ? countersOf(latest) : undefined
	});
}

const nameOf = ({ address, port, purpose }: ProbeTarget['listeners'][number]) => `${address}:${port} (${purpose})`;

async function greet({ kumod, greetMs, failing }: Course, listener: ProbeTarget['listeners'][number]) {
	const { address, port, purpose } = listener;
	const greeting = await kumod.greet({ address, port, withTls: purpose === 'submission', timeoutMs: greetMs });
	const name = nameOf(listener);
	if (greeting.ok) failing.delete(name);
	else failing.add(name);
	return { listener: name, isGood: greeting.ok, detail: greeting.ok ? greeting.banner : greeting.detail };
}

interface Tale {
	phase: Phase;
	untilAt: number;
	judgement: Judgement;
	end?: End;
}

async function tell(course: Course, { phase: name, untilAt, judgement, end }: Tale): Promise<void> {
	const report: WatchReport = {
		phase: name,
		startedAt: course.startedAt,
		untilAt,
		endedAt: end === undefined ? null : course.clock(),
		verdict: end?.verdict ?? null,
		text: (end?.text ?? '').slice(0, 2000),
		measures: judgement.measures.map((measure) => ({ ...measure, text: measure.text.slice(0, 2000) })),
		samples: condense(course.samples)
	};
	course.say([...course.notes, ...linesOf(judgement)].join('\n'));
	await course.post(report);
}

const isBack = (verdict: Verdict) => ['breach', 'taken-back', 'not-confirmed'].includes(verdict);

/** The evidence is written before anything goes back: a crash in between is then settled as decided here. */
async function finish(course: Course, end: NonNullable<End>): Promise<WatchResult> {
	const judgement = judgeNow(course);
	const isLeft = end.verdict === 'broken-off' && course.mustConfirm;
	const output = [end.text, ...course.notes, ...linesOf(judgement)].join('\n');
	if (!isLeft) await tell(course, { phase: 'ended', untilAt: course.clock(), judgement, end });
	await course.host.faultPoint('watch.ended');
	if (isLeft) return { status: 'skipped', output, end: 'left' };
	const kept = end.verdict === 'broken-off' ? 'skipped' : 'ok';
	return { status: isBack(end.verdict) ? 'failed' : kept, output, end: isBack(end.verdict) ? 'back' : 'kept' };
}
