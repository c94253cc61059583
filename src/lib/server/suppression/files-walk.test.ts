import { mkdirSync, rmSync, truncateSync } from 'node:fs';
import { eq } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { caller, openTestApp, testClock } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { testHost } from '../../../../tests/support/policy-app.ts';
import { insertDomain } from '../../../../tests/support/rows.ts';
import { readFiles, readRows, wordOf } from '../../../../tests/support/suppression-reader.ts';
import { domains } from '../domains/tables.ts';
import { requestRebuild } from './files-state.ts';
import { removeEnded } from './housekeeping.ts';
import { keepFiles } from './keep-files.ts';
import { suppressionRoots } from './write-file.ts';

/**
 * Random lists under a clock of ten-second turns, with turns that break off anywhere and readers that open the two files
 * at different moments: what a reader says was true within the promised two minutes, and at rest files and list agree.
 */

/** Changes every minute at most, a turn each ten seconds, one turn that broke off, a reader's 30 s. */
const promisedMs = 120_000;
const turnMs = 10_000;
const reopenMs = 30_000;

const addresses = ['a@example.org', 'b@example.org', 'c@sub.example.org', 'd@example.net'];
const names = ['one.example', 'two.example'];

/** Mulberry32: the same walk each time. */
function seeded(seed: number) {
	return (below: number) => {
		seed = (seed + 0x6d2b79f5) | 0;
		let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) % below;
	};
}

async function tableOf(app: TestApp): Promise<Record<string, string>> {
	const { rows } = await app.database.client.execute(
		`SELECT address || ' ' || coalesce(d.name, '') AS key, reason FROM suppressions s
		LEFT JOIN domains d ON d.id = s.scope WHERE s.scope = '' OR d.id IS NOT NULL ORDER BY key`
	);
	return Object.fromEntries(rows.map(({ key, reason }) => [key as string, reason as string]));
}

interface Walk {
	app: TestApp;
	clock: ReturnType<typeof testClock>;
	pick: (below: number) => number;
	/** Breaks the turn off after so many moments. */
	breakAfter: { left: number };
}

async function openWalk(seed: number): Promise<Walk> {
	const clock = testClock();
	const breakAfter = { left: Infinity };
	const host = testHost(() => {
		breakAfter.left -= 1;
		if (breakAfter.left < 0) throw new Error('broken off');
	});
	const app = await openTestApp({ clock: clock.now, host });
	await app.database.client.execute('PRAGMA synchronous = off');
	mkdirSync(suppressionRoots(app.env.kumomtaRoot).policy, { recursive: true });
	for (const name of names) await insertDomain(app, name);
	return { app, clock, pick: seeded(seed), breakAfter };
}

async function changeSomething({ app, pick, clock }: Walk): Promise<void> {
	const address = addresses[pick(addresses.length)]!;
	const [domain] = await app.db
		.select()
		.from(domains)
		.where(eq(domains.name, names[pick(2)]!));
	const domainId = pick(2) === 0 ? null : domain!.id;
	const api = caller(app).suppression;
	const what = pick(10);
	if (what < 4) await api.add({ address, domainId, ...(pick(3) === 0 && { expiresAt: clock.now() + 45_000 }) });
	else if (what < 7) await api.bulk({ domainId, remove: [address] });
	else if (what < 8) await api.bulk({ domainId, add: [address] });
	else if (what < 9) await requestRebuild(app);
	else {
		await app.db.delete(domains).where(eq(domains.id, domain!.id));
		await insertDomain(app, domain!.name);
	}
}

/** Loses a file now and then: what was promised begins anew once it is back. */
function loseSomething({ app, pick }: Walk): void {
	const roots = suppressionRoots(app.env.kumomtaRoot);
	const path = pick(2) === 0 ? roots.base : roots.delta;
	if (pick(2) === 0) rmSync(path, { force: true });
	else truncateSync(path, 100);
}

async function rest({ app, clock, breakAfter }: Walk): Promise<void> {
	breakAfter.left = Infinity;
	for (let turn = 0; turn < 3; turn += 1) {
		clock.advance(61_000);
		await removeEnded(app);
		await keepFiles(app);
	}
}

describe('the files under a random list', () => {
	it.each([1, 2, 3])('walk %i', async (seed) => {
		const walk = await openWalk(seed);
		const { app, clock, pick, breakAfter } = walk;
		const roots = suppressionRoots(app.env.kumomtaRoot);
		await keepFiles(app);
		const history: { until: number; table: Record<string, string> }[] = [];
		const reader = { base: readRows(roots.base), delta: readRows(roots.delta), baseAt: 0, deltaAt: 0 };
		let brokeOff = 0;
		breakAfter.left = pick(30);
		for (let turn = 0; turn < 60; turn += 1) {
			const before = await tableOf(app);
			if (pick(3) === 0) await changeSomething(walk);
			history.push({ until: clock.now(), table: before });
			clock.advance(turnMs);
			await removeEnded(app);
			await keepFiles(app).catch(() => {
				brokeOff += 1;
				breakAfter.left = pick(30);
			});
			// Each file has its own age in a reader, and never more than 30 s.
			if (clock.now() - reader.baseAt >= reopenMs || pick(4) === 0)
				Object.assign(reader, { base: readRows(roots.base), baseAt: clock.now() });
			if (clock.now() - reader.deltaAt >= reopenMs || pick(4) === 0)
				Object.assign(reader, { delta: readRows(roots.delta), deltaAt: clock.now() });
			const now = await tableOf(app);
			const lately = [
				now,
				...history.filter(({ until }) => until >= clock.now() - promisedMs).map(({ table }) => table)
			];
			for (const address of addresses)
				for (const scope of ['', ...names]) {
					const key = `${address} ${scope}`;
					const words = lately.map((table) => table[key] ?? '');
					expect(words, `${key} in turn ${turn}`).toContain(wordOf(key, reader.base, reader.delta));
				}
		}
		expect(brokeOff).toBeGreaterThan(1);
		await rest(walk);
		expect(readFiles(roots)).toEqual(await tableOf(app));
		for (let loss = 0; loss < 3; loss += 1) {
			await changeSomething(walk);
			loseSomething(walk);
			await rest(walk);
			expect(readFiles(roots)).toEqual(await tableOf(app));
		}
	});
});
