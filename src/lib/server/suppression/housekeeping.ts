import { and, eq, inArray, lte } from 'drizzle-orm';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { App } from '../app.ts';
import { readRules } from './rules.ts';
import { removedScopes, strikes, suppressions } from './tables.ts';

const atOnce = 500;
/** In one turn; the next one goes on. */
const mostPieces = 200;
const dayMs = 86_400_000;

/** Takes away what has expired, the lists of removed domains and strikes that no rule looks at any more. */
export async function removeEnded(app: App): Promise<void> {
	const { hard, soft } = await readRules(app.db);
	const kept = Math.max(hard.days, soft.days) * dayMs;
	await inPieces(() => removeExpired(app));
	await inPieces(() => clearRemoved(app));
	await inPieces(() => removeStrikes(app, app.clock() - kept));
}

/** @param work answers how many rows it took. */
async function inPieces(work: () => Promise<number>): Promise<void> {
	for (let piece = 0; piece < mostPieces && (await work()) > 0; piece += 1) await nextTurn();
}

async function removeExpired(app: App): Promise<number> {
	const some = app.db
		.select({ seq: suppressions.seq })
		.from(suppressions)
		.where(lte(suppressions.expiresAt, app.clock()))
		.limit(atOnce);
	return (await app.db.delete(suppressions).where(inArray(suppressions.seq, some))).rowsAffected;
}

async function clearRemoved(app: App): Promise<number> {
	const [removed] = await app.db.select().from(removedScopes).limit(1);
	if (removed === undefined) return 0;
	const entries = app.db
		.select({ seq: suppressions.seq })
		.from(suppressions)
		.where(eq(suppressions.scope, removed.scope))
		.limit(atOnce);
	const gone = (await app.db.delete(suppressions).where(inArray(suppressions.seq, entries))).rowsAffected;
	if (gone > 0) return gone;
	const points = app.db
		.select({ address: strikes.address })
		.from(strikes)
		.where(eq(strikes.scope, removed.scope))
		.limit(atOnce);
	const ofScope = and(eq(strikes.scope, removed.scope), inArray(strikes.address, points));
	const { rowsAffected } = await app.db.delete(strikes).where(ofScope);
	if (rowsAffected > 0) return rowsAffected;
	return (await app.db.delete(removedScopes).where(eq(removedScopes.scope, removed.scope))).rowsAffected;
}

async function removeStrikes(app: App, before: number): Promise<number> {
	const some = app.db
		.select({ address: strikes.address })
		.from(strikes)
		.where(lte(strikes.lastAt, before))
		.limit(atOnce);
	const old = and(lte(strikes.lastAt, before), inArray(strikes.address, some));
	return (await app.db.delete(strikes).where(old)).rowsAffected;
}
