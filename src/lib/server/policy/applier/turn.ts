import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../../core/errors.ts';
import type { Applier } from './applier-parts.ts';
import type { Taken } from './applier-parts.ts';
import { openInbox } from './inbox.ts';
import type { Inbox } from './inbox.ts';
import { damaged, unpackLines } from './lines.ts';
import { lookAtAll, refusalOf } from './look.ts';
import { requestHeader } from './request.ts';
import type { Wish, WishOf } from './request.ts';
import { firstAnswer, runApply } from './run-apply.ts';
import type { Going } from './run-apply.ts';
import { settle } from './settle.ts';
import { placeSuppression } from './suppression.ts';

/** Milliseconds. `linger`: how long it waits for more before it ends; a start costs more than that. */
export interface Pace {
	lookEvery: number;
	linger: number;
	settleEvery: number;
}

export const usualPace: Pace = { lookEvery: 100, linger: 2000, settleEvery: 5000 };

/** The work that goes on beside the looking: at most one apply, and one suppression file. */
interface Lanes {
	apply: Promise<void> | undefined;
	suppression: Promise<void> | undefined;
}

/**
 * Takes requests until none is left and nothing is owed. What is quick is done at once, so that an apply that is watched
 * can be decided over.
 */
export async function runApplier(applier: Applier, webUid: number, pace: Pace = usualPace): Promise<void> {
	const { timer } = applier;
	const lanes: Lanes = { apply: undefined, suppression: undefined };
	let isOwed = await settle(applier);
	let [quietSince, settledAt] = [timer.now(), timer.now()];
	await applier.records.writeState(await lookAtAll(applier));
	for (;;) {
		const inbox = openInbox(applier.places.inbox, webUid);
		const numbers = inbox?.list() ?? [];
		try {
			for (const number of numbers) if (inbox !== undefined) await takeOne(applier, inbox, { number, lanes });
		} finally {
			inbox?.close();
		}
		const now = timer.now();
		const isBusy = numbers.length > 0 || lanes.apply !== undefined || lanes.suppression !== undefined;
		if (isBusy) quietSince = now;
		if (!isBusy && isOwed && now - settledAt >= pace.settleEvery) {
			isOwed = await settle(applier);
			settledAt = timer.now();
			await applier.records.writeState(await lookAtAll(applier));
		}
		if (!isBusy && !isOwed && now - quietSince >= pace.linger) return;
		if (lanes.apply !== undefined) isOwed = true;
		await sleep(pace.lookEvery);
	}
}

/** What is no request of the panel's is taken out and forgotten: there is nobody who waits for its answer. */
async function takeOne(
	applier: Applier,
	inbox: Inbox,
	{ number, lanes }: { number: number; lanes: Lanes }
): Promise<void> {
	const { records, log } = applier;
	try {
		const file = await inbox.take(number);
		if (number <= (await records.lastNumber())) {
			await file.close();
			throw old();
		}
		await records.keepNumber(number);
		const lines = unpackLines(file.createReadStream())[Symbol.asyncIterator]();
		const header = requestHeader.safeParse((await lines.next()).value);
		if (!header.success) {
			await lines.return?.(undefined);
			throw damaged('is not one that this applier knows');
		}
		const { ref, by, wish, credential } = header.data;
		if ((await records.readAnswer(ref)) !== undefined) throw old();
		await applier.credentials.keep(credential);
		await start(applier, { ref, by, wish, lines }, lanes);
	} catch (error) {
		if (!(error instanceof UserError)) throw error;
		log.warn('a request was refused', { number, reason: error.detail.reason, message: error.message });
	}
}

function old(): UserError {
	return new UserError('CONFLICT', 'The request is older than one that was taken. Nothing was changed. Start again.', {
		reason: 'request-old'
	});
}

async function start(applier: Applier, taken: Taken<Wish>, lanes: Lanes): Promise<void> {
	const { wish } = taken;
	switch (wish.kind) {
		case 'look':
			await drain(taken);
			await applier.records.writeState(await lookAtAll(applier));
			return done(applier, taken);
		case 'decide':
			await drain(taken);
			await decide(applier, taken, wish);
			return done(applier, taken);
		case 'suppression': {
			if (lanes.suppression !== undefined) return refuse(applier, taken, busy());
			const work = () => placeSuppression(applier, { ...taken, wish });
			lanes.suppression = quietly(applier, taken, work).finally(() => (lanes.suppression = undefined));
			return;
		}
		default:
			if (lanes.apply !== undefined) return refuse(applier, taken, busy());
			lanes.apply = runApply(applier, taken as Going)
				.catch((error: unknown) => applier.log.error('the end of an apply was not written', { error }))
				.finally(() => (lanes.apply = undefined));
	}
}

/** Nothing follows such a request. */
async function drain({ lines }: Taken<Wish>): Promise<void> {
	if ((await lines.next()).done === true) return;
	await lines.return?.(undefined);
	throw damaged('holds more than it may');
}

async function quietly(applier: Applier, taken: Taken<Wish>, work: () => Promise<void>): Promise<void> {
	try {
		await work();
		await applier.records.writeState(await lookAtAll(applier));
		await done(applier, taken);
	} catch (error) {
		if (!(error instanceof UserError)) applier.log.error('a request failed', { ref: taken.ref, error });
		await refuse(applier, taken, error instanceof UserError ? error : damaged('could not be done'));
	}
}

async function done({ records, clock }: Applier, taken: Taken<Wish>): Promise<void> {
	await records.writeAnswer({ ...firstAnswer(taken, clock()), outcome: 'done' });
}

async function refuse({ records, clock }: Applier, taken: Taken<Wish>, error: UserError): Promise<void> {
	await taken.lines.return?.(undefined);
	await records.writeAnswer({ ...firstAnswer(taken, clock()), outcome: 'refused', refusal: refusalOf(error) });
}

/** The first decision counts. One over an apply that no process runs any more is settled with it. */
async function decide(
	{ running, records, clock }: Applier,
	{ by }: Taken<Wish>,
	wish: WishOf<'decide'>
): Promise<void> {
	const found = running?.answer.ref === wish.of ? running.answer : await records.readAnswer(wish.of);
	if (found?.outcome !== 'running') return;
	const at = clock();
	if (wish.what === 'confirm') found.decided.confirmed ??= { by, at };
	else if (wish.what === 'take-back' || found.decided.end === undefined)
		found.decided.end = { by, at, takeBack: wish.what === 'take-back' };
	await records.writeAnswer(found);
}

function busy(): UserError {
	return new UserError(
		'CONFLICT',
		'The applier is doing such a request already. This one was not started. Wait until it is finished, then try again.',
		{ reason: 'apply-running' }
	);
}
