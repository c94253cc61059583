import { eq } from 'drizzle-orm';
import { join } from 'node:path';
import type { App } from '../app.ts';
import { auditJob } from '../audit/service.ts';
import { UserError } from '../core/errors.ts';
import { markApplied, recordTakeOver } from './apply-record.ts';
import { settleByAnswers } from './applier/settle-records.ts';
import { knownState } from './applier/state.ts';
import { panelCredential } from './credential.ts';
import { findManifest } from './drift.ts';
import { bytesOf, readLive, readLua, sha256 } from './live.ts';
import { takeLock } from './lock.ts';
import { removeOldMail, settleMail } from './mail-step.ts';
import { removeKeyTemporaries, removeLeftovers } from './retention.ts';
import { policyRoots } from './roots.ts';
import type { PolicyRoots } from './roots.ts';
import type { ApplyStep } from './steps.ts';
import { applies, revisions } from './tables.ts';
import { endedSteps, settlementOf, stuckSteps, takeBackInterrupted } from './watch-recover.ts';
import type { ApplyRow } from './apply-record.ts';

/**
 * After a crash: applies that were left running are settled, what was staged for nothing goes after 15 minutes. Does
 * nothing while an apply runs, here or in another process. For the start of the server and now and then after it.
 */
export async function recoverApplies(app: App): Promise<void> {
	const roots = policyRoots(app.env.kumomtaRoot);
	if ((await app.host.files.stat(roots.policy))?.kind !== 'directory') return;
	let release: () => void;
	try {
		release = takeLock(roots, { actor: 'job:policy.recover', since: app.clock(), pid: process.pid });
	} catch (error) {
		if (error instanceof UserError && error.detail.reason === 'apply-running') return;
		throw error;
	}
	try {
		await settleInterrupted(app, roots);
		await removeLeftovers(app, roots);
		await removeOldMail(app, await readLive(app.host, roots));
	} finally {
		release();
	}
}

/**
 * Needs the lock: whatever the table still calls running is then nobody's. The live file decides which revision is live;
 * the record follows it.
 */
export async function settleInterrupted(app: App, roots: PolicyRoots): Promise<void> {
	const rows = await app.db.select().from(applies).where(eq(applies.outcome, 'running'));
	if (app.env.applier !== undefined) {
		await settleByAnswers(app, rows);
		await recordLive(app, roots);
		return recordKept(app, roots);
	}
	if (rows.length > 0) await removeKeyTemporaries(app, roots);
	let isSettled = false;
	for (const row of rows) isSettled = (await settle(app, roots, row)) || isSettled;
	await letDovecotFollow(app, roots, isSettled);
	await recordLive(app, roots);
	await recordKept(app, roots);
}

/** An apply that still may be confirmed stays as it is until its deadline. Answers whether it was settled. */
async function settle(app: App, roots: PolicyRoots, row: ApplyRow): Promise<boolean> {
	const settlement = settlementOf(row, await readLive(app.host, roots), app.clock());
	if (settlement === 'open') return false;
	const taken =
		settlement === 'back'
			? await takeBackInterrupted({ ...app, credential: await panelCredential(app) }, roots, row)
			: undefined;
	const steps = endedSteps(row.steps, settlement);
	if (taken?.isBack === false) {
		await keepStuck(app, row, stuckSteps(steps, taken.steps));
		return false;
	}
	const outcome = settlement !== 'back' ? settlement : taken === undefined ? 'interrupted' : 'reverted';
	steps.push(...(taken?.steps ?? []));
	// Before the record: a crash between the two tells it twice rather than never.
	await auditSettled(app, 'policy.settle', row.id, { revision: row.revision, outcome });
	await app.db.update(applies).set({ outcome, finishedAt: app.clock(), steps }).where(eq(applies.id, row.id));
	app.log.warn('an interrupted apply was settled', { applyId: row.id, revision: row.revision, outcome });
	return true;
}

/** @param isSettled whether an apply was broken off, perhaps before Dovecot heard of what is live. */
async function letDovecotFollow(app: App, roots: PolicyRoots, isSettled: boolean): Promise<void> {
	const live = await readLive(app.host, roots);
	try {
		const output = await settleMail(app, { roots, live, mustReload: isSettled });
		if (output === undefined) return;
		const target = 'revision' in live ? live.revision : 'none';
		await auditSettled(app, 'policy.settleDovecot', target, { output });
	} catch (error) {
		// The next turn tries again; KumoMTA and its policy do not wait for Dovecot.
		app.log.warn('Dovecot does not follow the live policy yet', { error });
	}
}

/** It stays open, so that every page says it and the next turn tries again. */
async function keepStuck(app: App, { id, revision }: ApplyRow, steps: ApplyStep[]): Promise<void> {
	app.log.error('a revision could not be put back', { applyId: id, revision, output: steps.at(-1)?.output });
	await app.db.update(applies).set({ steps }).where(eq(applies.id, id));
}

const auditSettled = (app: App, action: string, target: string, input: unknown) =>
	auditJob(app, { job: 'policy.recover', action, target, input });

/** The live revision has a row that says it was applied, also when a crash, or an older database, lost that. */
async function recordLive(app: App, roots: PolicyRoots): Promise<void> {
	const live = await readLive(app.host, roots);
	if (live.kind !== 'ours' && live.kind !== 'edited') return;
	const [row] = await app.db.select().from(revisions).where(eq(revisions.number, live.number)).limit(1);
	if (row?.directory === live.revision && row.appliedAt !== null) return;
	const manifest = findManifest(join(roots.revisions, live.revision));
	if (row === undefined && manifest !== undefined) {
		await app.db.insert(revisions).values({
			number: live.number,
			hash: manifest.hash,
			directory: live.revision,
			actor: 'system',
			actorName: 'Found on disk',
			reason: 'This revision was live, but the panel had no record of it.',
			createdAt: app.clock(),
			appliedAt: null,
			changeCount: 0,
			bytes: 0
		});
	}
	await auditSettled(app, 'policy.recordLive', String(live.number), { directory: live.revision });
	await markApplied(app, roots, live.number, live.revision);
}

async function recordKept(app: App, roots: PolicyRoots): Promise<void> {
	const [row] = await app.db.select().from(revisions).where(eq(revisions.number, 0)).limit(1);
	if (row !== undefined) return;
	const text = await readLua(app.host, roots.before);
	if (text === undefined) return;
	const hash = (await knownState(app))?.kept?.sha256 ?? sha256(bytesOf(text));
	await auditSettled(app, 'policy.recordKept', '0', { sha256: hash });
	await recordTakeOver(app, text, hash);
}
