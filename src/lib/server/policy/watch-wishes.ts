import { desc, eq } from 'drizzle-orm';
import { isPutBackOwed } from '../../shared/apply-steps.ts';
import type { App } from '../app.ts';
import { notFound, UserError } from '../core/errors.ts';
import type { Caller } from '../core/trpc.ts';
import { findApply } from './apply-record.ts';
import type { ApplyRow } from './apply-record.ts';
import { recoverApplies } from './recover.ts';
import { applies } from './tables.ts';
import { postWish } from './watch-mailbox.ts';
import { mailboxOf } from './watch-report.ts';

/**
 * Ends the watch of an apply, in whatever process it runs: it is kept, or taken back at once. One that could not be put
 * back is tried again.
 * @throws UserError NOT_FOUND; not-watched: it is over already, or not there yet.
 */
export async function endWatch(
	app: App,
	{ name }: Caller,
	{ applyId, takeBack = false }: { applyId: string; takeBack?: boolean | undefined }
): Promise<{ applyId: string }> {
	const row = await watchedApply(app, applyId);
	if (!takeBack && isPutBackOwed(row)) throw putBackOwed();
	const wish = { by: name, at: app.clock(), takeBack };
	if (watchOf(row) === null || !(await postWish(app.db, applyId, 'end', wish))) throw notWatched();
	await recoverApplies(app);
	return { applyId };
}

/**
 * Confirms an apply that would be taken back otherwise; also while it is still watched.
 * @throws UserError NOT_FOUND; not-watched: nobody waits for it.
 */
export async function confirmApply(
	app: App,
	{ name }: Caller,
	{ applyId }: { applyId: string }
): Promise<{ applyId: string }> {
	const row = await watchedApply(app, applyId);
	if (row.confirmUntilAt === null || !(await postWish(app.db, applyId, 'confirmed', { by: name, at: app.clock() })))
		throw notWatched();
	// When its process is gone, nobody else reads the wish before the next turn of the job.
	await recoverApplies(app);
	return { applyId };
}

async function watchedApply(app: App, applyId: string): Promise<ApplyRow> {
	const row = await findApply(app, applyId);
	if (row === undefined) throw notFound('apply');
	if (row.outcome !== 'running') throw notWatched();
	return row;
}

function notWatched(): UserError {
	return new UserError(
		'PRECONDITION_FAILED',
		'This apply is not being watched and waits for nobody. Nothing was changed. Look at the state of the policy.',
		{ reason: 'not-watched' }
	);
}

export interface Watching {
	applyId: string;
	/** `putting-back`: it should have gone and could not be put back yet. */
	phase: 'epoch' | 'watching' | 'confirming' | 'putting-back';
	/** When the phase ends; null: when what stands in the way is gone. */
	untilAt: number | null;
	/** Until then it has to be confirmed; null: it need not be. */
	confirmUntilAt: number | null;
}

export function watchOf({ id, outcome, watch, confirmUntilAt, steps }: ApplyRow): Watching | null {
	if (isPutBackOwed({ outcome, steps }))
		return { applyId: id, phase: 'putting-back', untilAt: null, confirmUntilAt: null };
	const { report, confirmed } = mailboxOf(watch);
	if (outcome !== 'running' || report === undefined || report.phase === 'ended') return null;
	const { phase, untilAt } = report;
	return { applyId: id, phase, untilAt, confirmUntilAt: confirmed === undefined ? confirmUntilAt : null };
}

/** The apply that is being watched now. */
export async function findWatching(app: App): Promise<Watching | null> {
	const rows = await app.db
		.select()
		.from(applies)
		.where(eq(applies.outcome, 'running'))
		.orderBy(desc(applies.startedAt))
		.limit(5);
	return rows.map(watchOf).find((watching) => watching !== null) ?? null;
}

function putBackOwed(): UserError {
	return new UserError(
		'CONFLICT',
		'The last apply should go and could not be put back. It is still live, and nothing else is applied. Remove what its last step names: it is then put back by itself within a minute.',
		{ reason: 'apply-running' }
	);
}

/** Why another apply must wait, when the one before it is being watched. */
export function watchedRefusal({ phase, untilAt, confirmUntilAt }: Watching): UserError {
	if (phase === 'putting-back') return putBackOwed();
	const until = new Date((phase === 'confirming' ? (confirmUntilAt ?? untilAt) : untilAt) ?? 0).toISOString();
	const [what, todo] =
		phase === 'confirming'
			? ['waits to be confirmed', 'Confirm it or take it back']
			: ['is being watched', 'Wait, or end the watch and keep it'];
	return new UserError(
		'CONFLICT',
		`The last apply is live and ${what} until ${until}. This one was not started. ${todo}, then look at the changes again.`,
		{ reason: 'apply-running' }
	);
}
