import { and, eq, gte, lt, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { z } from 'zod';
import type { App } from '../app.ts';
import type { countFeedback as countInput } from './inputs.ts';
import { namesOfDomains } from './list.ts';
import { isComplaint } from './report/feedback-report.ts';
import { feedbackCounts } from './tables.ts';

const hourMs = 3_600_000;
const topDomains = 10;
const topClasses = 10;
/** Thousands of domains have many rows an hour: of all of them, few hours are summed at a time. */
const hoursAtOnce = 3;

type Kind = (typeof feedbackCounts.$inferSelect)['kind'];
type Four = Record<'bounces' | 'expiries' | 'reports' | 'complaints', number>;
const none: Four = { bounces: 0, expiries: 0, reports: 0, complaints: 0 };
const names = { bounce: 'bounces', expiry: 'expiries', report: 'reports', complaint: 'complaints' } as const;

interface Sum {
	kind: Kind;
	class: string;
	count: number;
}

/** A report that somebody wants the mail is no complaint, nor is one about authentication. */
function add(to: Four, { kind, class: group, count }: Sum): void {
	if (kind !== 'complaint' || isComplaint(group)) to[names[kind]] += count;
}

/** How much came back, by hour or day (UTC), with the domains and classes that make most of it. */
export async function countFeedback(app: App, { by, from, to, domainId, senderId }: z.infer<typeof countInput>) {
	const sizeMs = by === 'hour' ? hourMs : 24 * hourMs;
	const first = from - (from % sizeMs);
	const buckets = Array.from({ length: Math.ceil((to - first) / sizeMs) }, (_, index) => ({
		at: first + index * sizeMs,
		...none
	}));
	const isOne = domainId !== undefined || senderId !== undefined;
	const owner = and(
		domainId === undefined ? undefined : eq(feedbackCounts.domainId, domainId),
		senderId === undefined ? undefined : eq(feedbackCounts.senderId, senderId)
	);
	const byDomain = new Map<string, Four>();
	const byClass = new Map<string, Sum>();
	for (const window of windowsOf(from - (from % hourMs), to, isOne ? undefined : hoursAtOnce)) {
		const where = and(owner, window);
		for (const sum of await sumsByBucket(app, where, sizeMs)) {
			add(buckets[(sum.at - first) / sizeMs] ?? { ...none }, sum);
			const known = byClass.get(`${sum.kind} ${sum.class}`);
			byClass.set(`${sum.kind} ${sum.class}`, {
				kind: sum.kind,
				class: sum.class,
				count: sum.count + (known?.count ?? 0)
			});
		}
		if (!isOne) await addDomains(app, where, byDomain);
		await nextTurn();
	}
	const totals = { ...none };
	for (const bucket of buckets) for (const name of Object.values(names)) totals[name] += bucket[name];
	const classes = [...byClass.values()].sort((a, b) => b.count - a.count).slice(0, topClasses);
	return { by, from, to, totals, buckets, domains: await mostOf(app, byDomain), classes };
}

function* windowsOf(from: number, to: number, hours: number | undefined): Generator<SQL | undefined> {
	const step = hours === undefined ? to - from : hours * hourMs;
	for (let at = from; at < to; at += step)
		yield and(gte(feedbackCounts.hourAt, at), lt(feedbackCounts.hourAt, Math.min(at + step, to)));
}

const total = sql<number>`sum(${feedbackCounts.count})`;

function sumsByBucket(app: App, where: SQL | undefined, sizeMs: number): Promise<(Sum & { at: number })[]> {
	const at = sql<number>`${feedbackCounts.hourAt} - ${feedbackCounts.hourAt} % ${sizeMs}`;
	return app.db
		.select({ at, kind: feedbackCounts.kind, class: feedbackCounts.class, count: total })
		.from(feedbackCounts)
		.where(where)
		.groupBy(sql`1`, feedbackCounts.kind, feedbackCounts.class);
}

async function addDomains(app: App, where: SQL | undefined, byDomain: Map<string, Four>): Promise<void> {
	const rows = await app.db
		.select({ id: feedbackCounts.domainId, kind: feedbackCounts.kind, class: feedbackCounts.class, count: total })
		.from(feedbackCounts)
		.where(where)
		.groupBy(feedbackCounts.domainId, feedbackCounts.kind, feedbackCounts.class);
	for (const { id, ...sum } of rows) {
		const four = byDomain.get(id) ?? { ...none };
		byDomain.set(id, four);
		add(four, sum);
	}
}

async function mostOf(app: App, byDomain: Map<string, Four>) {
	const sumOf = (four: Four) => Object.values(four).reduce((sum, each) => sum + each, 0);
	const most = [...byDomain]
		.filter(([, four]) => sumOf(four) > 0)
		.sort(([, a], [, b]) => sumOf(b) - sumOf(a))
		.slice(0, topDomains);
	const known = await namesOfDomains(
		app,
		most.map(([id]) => id)
	);
	return most.map(([id, four]) => ({ id: id === '' ? null : id, name: known.get(id) ?? null, ...four }));
}
