import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closeCompiler } from '../../src/lib/server/policy/compile.ts';
import {
	apply,
	applyInChild,
	editPolicy,
	expectLeftoversGo,
	expectNextApply,
	expectWhole,
	openSubject,
	removeEverythingOnDisk,
	temporaryFiles
} from '../support/apply-faults.ts';
import type { Subject } from '../support/apply-faults.ts';

const runs = Number(process.env.FAULT_RUNS ?? 1000);
const seed = Number(process.env.FAULT_SEED ?? Date.now() % 1_000_000);
const codes = ['ENOSPC', 'EACCES', 'EIO', 'EROFS'] as const;
/** A killed process costs seconds, a failing call a tenth of one. */
const killedShare = 0.1;
/** How many moments nearly every apply comes to, in this process with a watch and in a killed one without. */
const moments = { watched: 53, failing: 60, killed: 50 };
const timeoutMs = Math.max(600_000, runs * 5000);

/** Mulberry32: small, and the same everywhere for the same seed. */
function randomNumbers(from: number): () => number {
	let state = from;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	};
}

let subject: Subject;
/** Whether the last apply came to its fault. */
let isHit = false;
/** How often a fault fell into each step. */
const hitSteps = new Map<string, number>();
beforeAll(async () => {
	subject = await openSubject({ isWatched: true });
	await subject.app.database.client.execute('UPDATE settings SET watch_seconds = 2');
	console.log(`faults: ${runs} runs, seed ${seed} (repeat with FAULT_SEED=${seed})`);
});
afterAll(() => closeCompiler(subject.app));

/** How a call fails: once, or from then on until the apply has ended. */
function failFrom(deadly: number, code: string, isLasting: boolean): void {
	let moment = 0;
	isHit = false;
	subject.fault.point = (name) => {
		moment += 1;
		if (moment === deadly) {
			isHit = true;
			const step = name.split(/[. ]/)[0] ?? name;
			hitSteps.set(step, (hitSteps.get(step) ?? 0) + 1);
		}
		if (moment === deadly || (isLasting && moment > deadly)) throw Object.assign(new Error(code), { code });
	};
}

const setConfirm = (isOn: boolean) =>
	subject.app.database.client.execute({ sql: 'UPDATE settings SET confirm_listeners = ?', args: [Number(isOn)] });

async function applyFailing(deadly: number, code: string, isLasting: boolean): Promise<string> {
	failFrom(deadly, code, isLasting);
	try {
		return (await apply(subject)).outcome;
	} catch {
		return 'refused';
	} finally {
		subject.fault.point = undefined;
	}
}

describe('an apply that is broken off anywhere', { timeout: timeoutMs }, () => {
	it('leaves one complete revision live, true records and a free lock, every time', async () => {
		const random = randomNumbers(seed);
		const between = (from: number, to: number) => from + Math.floor(random() * (to - from + 1));
		const seen = new Map<string, number>();
		let hits = 0;
		let live: number | null = null;
		for (let run = 1; run <= runs; run += 1) {
			if (random() < 0.02) {
				await removeEverythingOnDisk(subject);
				live = null;
			} else await editPolicy(subject, between(0, 2));
			const [code, isLasting] = [codes[between(0, 3)] ?? 'EIO', random() < 0.3];
			const isKilled = random() < killedShare;
			// A quarter of the faults falls where the revision is live and being watched.
			const first = !isKilled && random() < 0.25 ? moments.watched : 1;
			const deadly = between(first, isKilled ? moments.killed : moments.failing);
			// Nobody confirms: a change that restarts goes back by itself, unless its fault is earlier.
			const mustConfirm = !isKilled && random() < 0.2;
			await setConfirm(mustConfirm);
			subject.skew.ms = random() < 0.3 ? between(-86_400_000, 86_400_000) : 0;
			const how = isKilled ? 'killed' : isLasting ? `${code} lasting` : code;
			const where = `seed ${seed}, run ${run}: ${how} at moment ${deadly}`;
			try {
				const outcome = isKilled
					? (await applyInChild(subject, deadly)).signal === null
						? 'survived'
						: 'killed'
					: await applyFailing(deadly, code, isLasting);
				await setConfirm(false);
				if (isKilled) isHit = outcome === 'killed';
				hits += isHit ? 1 : 0;
				const now = await expectWhole(subject, live);
				if (outcome === 'applied') expect(now).not.toBe(live);
				if (outcome === 'refused') expect(now).toBe(live);
				if (!isKilled) expect(temporaryFiles(subject).filter((name) => name.endsWith('.tmp'))).toEqual([]);
				await expectLeftoversGo(subject, now);
				seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
				live = await expectNextApply(subject);
				if (run % 100 === 0) console.log(`faults: ${run} runs done`);
			} catch (error) {
				throw new Error(where, { cause: error });
			}
		}
		console.log(`faults: ${hits} of ${runs} runs were hit: ${JSON.stringify(Object.fromEntries(hitSteps))}`);
		if (runs >= 20) expect(hits / runs).toBeGreaterThanOrEqual(0.9);
		console.log(`faults: ${JSON.stringify(Object.fromEntries(seen))}`);
		if (runs >= 100)
			expect([...seen.keys()].sort()).toEqual(expect.arrayContaining(['applied', 'failed', 'killed', 'reverted']));
	});
});
