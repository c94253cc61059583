import { eq } from 'drizzle-orm';
import type { App } from '../../app.ts';
import { auditJob } from '../../audit/service.ts';
import type { ApplyRow } from '../apply-record.ts';
import { applies } from '../tables.ts';
import type { Answer } from './answer.ts';
import { copyWatch, forwardDecisions, isEnded, shownSteps } from './follow.ts';
import { bringMirror } from './mirror.ts';
import { readAnswer } from './send.ts';

/** An applier that was asked and did not begin by then was never asked, or lost the request with its machine. */
const unansweredMs = 120_000;

/**
 * Brings records up that nobody follows, because the panel ended while the applier went on: what it answered counts. Needs
 * the lock, so that no other process follows them.
 */
export async function settleByAnswers(app: App, rows: ApplyRow[]): Promise<void> {
	await bringMirror(app);
	for (const row of rows) {
		const found = await readAnswer(app, row.id);
		if (found === undefined) await giveUp(app, row);
		else await bringUp(app, row, found);
	}
}

/** What was done before the panel asked for anything, or was asked for and never taken. */
async function giveUp(app: App, row: ApplyRow): Promise<void> {
	const wasAsked = row.steps.some(({ name, status }) => name === 'routes' && status !== 'running');
	if (wasAsked && app.clock() - row.startedAt < unansweredMs) return;
	await finish(app, row, { outcome: 'interrupted', steps: row.steps.map(ended) });
}

const ended = (step: ApplyRow['steps'][number]): ApplyRow['steps'][number] =>
	step.status === 'running' ? { ...step, status: 'failed', output: 'The panel stopped during this step.' } : step;

async function bringUp(app: App, row: ApplyRow, found: Answer): Promise<void> {
	const own = row.steps.findLastIndex(({ name }) => name === 'routes') + 1;
	const steps = [...row.steps.slice(0, own), ...shownSteps(found)];
	await copyWatch(app, row.id, found);
	await forwardDecisions(app, row.id);
	if (!isEnded(found) || found.outcome === 'running' || found.outcome === 'done') {
		await app.db.update(applies).set({ steps }).where(eq(applies.id, row.id));
		return;
	}
	await finish(app, row, { outcome: found.outcome, steps });
}

async function finish(
	app: App,
	{ id, revision }: ApplyRow,
	{ outcome, steps }: Pick<ApplyRow, 'outcome' | 'steps'>
): Promise<void> {
	await auditJob(app, { job: 'policy.recover', action: 'policy.settle', target: id, input: { revision, outcome } });
	await app.db.update(applies).set({ outcome, steps, finishedAt: app.clock() }).where(eq(applies.id, id));
	app.log.warn('an apply that nobody followed was settled', { applyId: id, revision, outcome });
}
