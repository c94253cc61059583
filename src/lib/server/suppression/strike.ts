import { and, eq, sql } from 'drizzle-orm';
import type { DbOrTransaction } from '../core/database.ts';
import { emailAddress } from '../core/inputs.ts';
import { putEntries } from './entries.ts';
import type { NewEntry } from './entries.ts';
import { readRules } from './rules.ts';
import type { Rules } from './rules.ts';
import { strikes } from './tables.ts';

/** What came back about a recipient, as the feedback feature keeps it. */
export interface StrikeEvent {
	at: number;
	kind: 'bounce' | 'expiry' | 'report' | 'complaint';
	class: string;
	recipient: string;
	domainId?: string | null | undefined;
	code?: number | null | undefined;
	status?: string | null | undefined;
	diagnostic: string;
}

interface Strike {
	event: StrikeEvent;
	address: string;
	scope: string;
	rule: 'hard' | 'soft' | 'complaint';
}

const dayMs = 86_400_000;

/**
 * Lets events suppress their recipients, as the rules say, within the transaction that stores them: an event that is
 * read again there was rolled back here too.
 */
export async function strike(tx: DbOrTransaction, events: StrikeEvent[]): Promise<void> {
	if (events.length === 0) return;
	const now = Math.max(...events.map(({ at }) => at));
	const rules = await readRules(tx);
	const hits = events.flatMap((event) => strikeOf(event, rules) ?? []);
	const entries = new Map<string, NewEntry>();
	const counted = new Map<string, Strike[]>();
	for (const hit of hits) {
		const key = JSON.stringify([hit.scope, hit.address, hit.rule]);
		if (hit.rule === 'complaint' || rules[hit.rule].count === 1)
			entries.set(key, mergeEntries(entries.get(key), entryOf(hit, rules, 1)));
		else counted.set(key, [...(counted.get(key) ?? []), hit]);
	}
	for (const entry of await countStrikes(tx, [...counted.values()], rules))
		entries.set(JSON.stringify([entry.scope, entry.address, entry.reason]), entry);
	// The same address may be hit by two rules: one statement takes an address once.
	for (const reason of ['soft-bounce', 'hard-bounce', 'complaint'] as const)
		await putEntries(
			tx,
			[...entries.values()].filter((entry) => entry.reason === reason),
			now
		);
}

function strikeOf(event: StrikeEvent, rules: Rules): Strike | undefined {
	if (event.kind === 'report' && !rules.reports) return undefined;
	const rule = ruleOf(event, rules);
	const address = emailAddress.safeParse(event.recipient);
	if (rule === undefined || !address.success) return undefined;
	const scope = rules[rule].scope === 'global' ? '' : event.domainId;
	return scope === null || scope === undefined ? undefined : { event, address: address.data, scope, rule };
}

/** A message that was given up after days of trying says nothing for good, whatever the last try's class. */
function ruleOf({ kind, class: group }: StrikeEvent, { hard, soft, complaint }: Rules): Strike['rule'] | undefined {
	const holds = (rule: { enabled: boolean; classes: string[] }) => rule.enabled && rule.classes.includes(group);
	if (kind === 'complaint') return holds(complaint) ? 'complaint' : undefined;
	if (kind === 'expiry') return soft.enabled && [...soft.classes, ...hard.classes].includes(group) ? 'soft' : undefined;
	return holds(hard) ? 'hard' : holds(soft) ? 'soft' : undefined;
}

const reasonOf = { hard: 'hard-bounce', soft: 'soft-bounce', complaint: 'complaint' } as const;

function entryOf({ event, address, scope, rule }: Strike, rules: Rules, count: number): NewEntry {
	return {
		address,
		scope,
		reason: reasonOf[rule],
		createdAt: event.at,
		expiresAt: rule === 'soft' ? event.at + rules.soft.expiryDays * dayMs : null,
		class: event.class,
		code: event.code,
		status: event.status,
		diagnostic: event.diagnostic,
		count,
		firstAt: event.at,
		lastAt: event.at,
		addedBy: 'job:mail-log'
	};
}

function mergeEntries(before: NewEntry | undefined, entry: NewEntry): NewEntry {
	if (before === undefined) return entry;
	return {
		...entry,
		count: (before.count ?? 0) + (entry.count ?? 0),
		firstAt: before.firstAt ?? null,
		createdAt: before.createdAt
	};
}

/** Adds strikes to those that are kept; answers the entries of recipients that reached the count of their rule. */
async function countStrikes(tx: DbOrTransaction, groups: Strike[][], rules: Rules): Promise<NewEntry[]> {
	const kept = await readStrikes(tx, groups);
	const entries: NewEntry[] = [];
	for (const group of groups) {
		const last = group.at(-1);
		if (last === undefined || last.rule === 'complaint') continue;
		const { count, days } = rules[last.rule];
		const key = { address: last.address, scope: last.scope, kind: last.rule };
		const all = [...(kept.get(keyOf(key)) ?? []), ...group.map(({ event }) => event.at)].sort((a, b) => a - b);
		const times = all.filter((at) => at > (all.at(-1) ?? 0) - days * dayMs);
		if (times.length >= count) {
			const entry = entryOf(last, rules, times.length);
			entries.push({ ...entry, firstAt: times[0] ?? null });
			await tx.delete(strikes).where(whereKey(key));
		} else {
			const fields = { times, lastAt: times.at(-1) ?? 0 };
			await tx
				.insert(strikes)
				.values({ ...key, ...fields })
				.onConflictDoUpdate({ target: [strikes.scope, strikes.address, strikes.kind], set: fields });
		}
	}
	return entries;
}

interface StrikeKey {
	address: string;
	scope: string;
	kind: 'hard' | 'soft';
}

const keyOf = ({ scope, address, kind }: StrikeKey) => JSON.stringify([scope, address, kind]);
const whereKey = ({ scope, address, kind }: StrikeKey) =>
	and(eq(strikes.scope, scope), eq(strikes.address, address), eq(strikes.kind, kind));

async function readStrikes(tx: DbOrTransaction, groups: Strike[][]): Promise<Map<string, number[]>> {
	const keys = groups.flatMap(([first]) => (first === undefined ? [] : [[first.scope, first.address]]));
	if (keys.length === 0) return new Map();
	const rows = await tx
		.select()
		.from(strikes)
		.where(
			sql`(${strikes.scope}, ${strikes.address}) in (select value ->> '$[0]', value ->> '$[1]' from json_each(${JSON.stringify(keys)}))`
		);
	return new Map(rows.map((row) => [keyOf(row), row.times]));
}
