import { asc } from 'drizzle-orm';
import type { App } from '../../app.ts';
import { UserError } from '../../core/errors.ts';
import type { SimulatedMessage, Simulation } from '../simulate/inputs.ts';
import { simulatedMessage } from '../simulate/inputs.ts';
import { openSimulator } from '../simulate/simulator.ts';
import { goldenRoutes } from '../tables.ts';
import { differences } from './expectation.ts';
import { expectation } from './inputs.ts';
import type { RouteResult } from './inputs.ts';

export type RouteRow = typeof goldenRoutes.$inferSelect;
type Run = (message: SimulatedMessage) => Promise<Simulation>;

/** For all of them: an apply holds its lock meanwhile. 500 take a few seconds where custom.lua is quick. */
const allWithinMs = 60_000;

/** All of them by name; `createRoute` bounds their number. */
export function allRoutes(app: App): Promise<RouteRow[]> {
	return app.db.select().from(goldenRoutes).orderBy(asc(goldenRoutes.name));
}

/**
 * Plays every saved route to one revision.
 * @param directory of the revision, named like it
 */
export async function runRoutes(app: App, directory: string): Promise<RouteResult[]> {
	const rows = await allRoutes(app);
	if (rows.length === 0) return [];
	const simulator = openSimulator(directory);
	try {
		return await playRoutes(rows, simulator.run);
	} finally {
		await simulator.close();
	}
}

/**
 * A policy that did not answer one in time is not asked again: each would wait as long. Nor is one that is slow with all.
 * @param now milliseconds of a clock that nobody sets
 */
export async function playRoutes(
	rows: RouteRow[],
	run: Run,
	now: () => number = () => performance.now()
): Promise<RouteResult[]> {
	const results: RouteResult[] = [];
	const endsAt = now() + allWithinMs;
	let timeout: UserError | undefined;
	for (const row of rows) {
		try {
			if (timeout === undefined && now() >= endsAt) timeout = tooSlow();
			if (timeout !== undefined) throw timeout;
			results.push(await playRoute(row, run));
		} catch (error) {
			if (!(error instanceof UserError)) throw error;
			if (error.detail.reason === 'simulation-timeout') timeout = error;
			results.push(notRun(row, error.detail.reason ?? 'cannot-simulate', error.message));
		}
	}
	return results;
}

async function playRoute(row: RouteRow, run: Run): Promise<RouteResult> {
	const [request, expected] = [simulatedMessage.safeParse(row.request), expectation.safeParse(row.expectation)];
	if (!request.success || !expected.success)
		return notRun(row, 'unreadable', 'What is saved is not readable any more. Save it anew.');
	const found = differences(expected.data, await run(request.data));
	return { id: row.id, name: row.name, status: found.length === 0 ? 'kept' : 'broken', differences: found };
}

function notRun({ id, name }: RouteRow, code: string, why: string): RouteResult {
	return { id, name, status: 'not-run', differences: [{ code, text: `was not run: ${why}` }] };
}

function tooSlow(): UserError {
	return new UserError('TIMEOUT', 'The routes before it took a minute. Look for what makes custom.lua slow.', {
		reason: 'simulation-timeout'
	});
}
