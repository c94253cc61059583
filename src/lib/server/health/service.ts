import type { z } from 'zod';
import type { App } from '../app.ts';
import type { Db } from '../core/database.ts';
import type { Check, Outcome } from './check.ts';
import { checks } from './checks.ts';
import type { healthAnswer } from './inputs.ts';
import { runCheck } from './run-checks.ts';
import { healthResults } from './tables.ts';

type Answer = z.infer<typeof healthAnswer>;
type Row = typeof healthResults.$inferSelect;

/** What was found last; looks at nothing itself. */
export async function listHealth(db: Db): Promise<Answer> {
	const rows = new Map((await db.select().from(healthResults)).map((row) => [row.id, row]));
	const items = checks.map((check) => itemOf(check, rows.get(check.id)));
	const count = (outcome: Outcome) => items.filter((item) => item.outcome === outcome).length;
	const times = items.filter(({ isAsked }) => !isAsked).map(({ checkedAt }) => checkedAt);
	return {
		items,
		counts: { failed: count('failed'), warning: count('warning'), unknown: count('unknown'), ok: count('ok') },
		checkedAt: times.reduce((oldest, at) => (oldest === null || at === null ? null : Math.min(oldest, at)))
	};
}

function itemOf({ id, group, title, why, isAsked = false }: Check, row: Row | undefined): Answer['items'][number] {
	return {
		id,
		group,
		title,
		why,
		isAsked,
		outcome: row?.outcome ?? null,
		found: row?.found ?? '',
		details: row?.details ?? [],
		mend: row?.mend ?? null,
		checkedAt: row?.checkedAt ?? null,
		sinceAt: row?.sinceAt ?? null,
		rights: row?.rights ?? null
	};
}

/** One run at a time: two would ask every listener twice. */
const running = new WeakMap<App['database'], Promise<unknown>>();

/**
 * Looks now and answers with everything that is known then.
 * @param only ids of checks; without it all run, but those that ask strangers.
 */
export async function runHealth(app: App, only?: string[]): Promise<Answer> {
	const wanted = checks.filter(({ id, isAsked }) => (only === undefined ? !isAsked : only.includes(id)));
	const before = running.get(app.database) ?? Promise.resolve();
	const run = before.then(() => runAll(app, wanted));
	const settled = run.catch(() => undefined);
	running.set(app.database, settled);
	await run;
	return listHealth(app.db);
}

/** For the job. */
export async function checkHealth(app: App): Promise<void> {
	await runHealth(app);
}

async function runAll(app: App, wanted: readonly Check[]): Promise<void> {
	const found = await Promise.all(wanted.map(async (check) => ({ id: check.id, ...(await runCheck(app, check)) })));
	const known = new Map((await app.db.select().from(healthResults)).map((row) => [row.id, row]));
	const now = app.clock();
	const rights = app.host.uid() === 0 ? 'root' : 'panel';
	await app.db.transaction(async (tx) => {
		for (const { isClosed, ...finding } of found) {
			const row = known.get(finding.id);
			if (isClosed === true && isStillWorth(row, now)) continue;
			const sinceAt = row?.outcome === finding.outcome ? row.sinceAt : now;
			const next = { ...finding, checkedAt: now, sinceAt, rights } satisfies Row;
			await tx.insert(healthResults).values(next).onConflictDoUpdate({ target: healthResults.id, set: next });
		}
	});
}

const weekMs = 7 * 86_400_000;

/** What root saw lately says more than that the panel cannot see it. */
const isStillWorth = (row: Row | undefined, now: number) =>
	row !== undefined && row.rights === 'root' && now - row.checkedAt < weekMs;
