import { UserError } from '../../core/errors.ts';
import { readLive } from '../live.ts';
import { takeLock } from '../lock.ts';
import { removeOldMail, settleMail } from '../mail-step.ts';
import { findDueRefresh } from '../refresh.ts';
import { payOwedRefresh } from '../refresh-again.ts';
import { endedSteps, settlementOf, stuckSteps, takeBackInterrupted } from '../watch-recover.ts';
import type { Answer } from './answer.ts';
import type { Applier } from './applier-parts.ts';
import { lookAtAll } from './look.ts';
import { removeLeft } from './retain.ts';

/**
 * After a crash, from what lies on disk alone: an apply that was left running is settled, Dovecot follows what is live, and
 * what KumoMTA has to be told is told.
 * @returns whether something is still owed: a confirmation, a way back that the disk refused, or a refresh.
 */
export async function settle(applier: Applier): Promise<boolean> {
	const { host, roots, clock, records, running } = applier;
	if (running !== undefined || (await host.files.stat(roots.policy))?.kind !== 'directory') return false;
	const release = lockOrNothing(applier);
	if (release === undefined) return true;
	try {
		const left = await records.unfinished();
		let isOpen = false;
		for (const each of left) isOpen = !(await settleOne(applier, each)) || isOpen;
		if (left.length > 0) await removeLeft(applier);
		await letDovecotFollow(applier, left.length > 0 && !isOpen);
		await payOwedRefresh({ ...applier, credential: await applier.credentials.read() }, roots);
		return isOpen || (await findDueRefresh(host, roots)) !== undefined;
	} finally {
		release();
		await records.removeOld(clock() - 30 * 86_400_000);
	}
}

function lockOrNothing({ roots, clock }: Applier): (() => void) | undefined {
	try {
		return takeLock(roots, { actor: 'job:applier', since: clock(), pid: process.pid });
	} catch (error) {
		if (error instanceof UserError && error.detail.reason === 'apply-running') return undefined;
		throw error;
	}
}

/** An apply that still may be confirmed stays as it is until its deadline. Answers whether it was settled. */
async function settleOne(applier: Applier, left: Answer): Promise<boolean> {
	const { host, roots, clock, records, credentials, log } = applier;
	const settlement = settlementOf(asRecord(left), await readLive(host, roots), clock());
	if (settlement === 'open') return false;
	const credential = await credentials.read();
	const taken = settlement === 'back' ? await takeBackInterrupted({ ...applier, credential }, roots, left) : undefined;
	const steps = endedSteps(left.steps, settlement);
	if (taken?.isBack === false) {
		log.error('a revision could not be put back', { ref: left.ref, output: taken.steps.at(-1)?.output });
		await records.writeAnswer({ ...left, changedAt: clock(), steps: stuckSteps(steps, taken.steps) });
		return false;
	}
	const outcome = settlement !== 'back' ? settlement : taken === undefined ? 'interrupted' : 'reverted';
	log.warn('an interrupted apply was settled', { ref: left.ref, outcome });
	await records.writeState(await lookAtAll(applier));
	await records.writeAnswer({ ...left, outcome, changedAt: clock(), steps: [...steps, ...(taken?.steps ?? [])] });
	return true;
}

/** As the panel keeps it in its table. */
const asRecord = ({ report, decided, steps, revision, confirmUntilAt }: Answer) => ({
	...{ steps, revision, confirmUntilAt },
	watch: { ...decided, ...(report !== null && { report }) }
});

/** @param mustReload whether an apply was broken off, perhaps before Dovecot heard of what is live. */
async function letDovecotFollow(applier: Applier, mustReload: boolean): Promise<void> {
	const { host, roots, log } = applier;
	const live = await readLive(host, roots);
	try {
		const output = await settleMail(applier, { roots, live, mustReload });
		if (output !== undefined) log.info('Dovecot follows the live policy', { output });
		await removeOldMail(applier, live);
	} catch (error) {
		// The next turn tries again; KumoMTA and its policy do not wait for Dovecot.
		log.warn('Dovecot does not follow the live policy yet', { error });
	}
}
