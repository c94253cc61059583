import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closeCompiler } from '../../src/lib/server/policy/compile.ts';
import { temporaryDirectory } from '../support/app.ts';
import {
	applyFailing,
	applyInChild,
	countMoments,
	editPolicy,
	expectLeftoversGo,
	expectNextApply,
	expectWhole,
	openSubject,
	removeEverythingOnDisk,
	temporaryFiles,
	withKumod
} from '../support/apply-faults.ts';
import type { Subject } from '../support/apply-faults.ts';
import { deaths, faultSteps, ownFaults } from '../support/fault-aim.ts';
import type { Fault } from '../support/fault-aim.ts';
import { makeKumodExecutableDouble } from '../support/kumod-executable-double.ts';

const runs = Number(process.env.FAULT_RUNS ?? 1000);
const seed = Number(process.env.FAULT_SEED ?? Date.now() % 1_000_000);
const timeoutMs = Math.max(600_000, runs * 5000);
const day = 86_400_000;
const everyFault = [...ownFaults, ...deaths];

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

const random = randomNumbers(seed);
const between = (from: number, to: number) => from + Math.floor(random() * (to - from + 1));

/** A killed process costs seconds, a failing call a tenth of one: so many of them in each deck. */
const deathsInDeck = 4;
let deck: Fault[] = [];
let decks = 0;
/** Every fault of this process comes once before any comes twice, each time in another order; deaths take turns. */
function drawFault(): Fault {
	if (deck.length === 0) {
		const turn = Array.from({ length: deathsInDeck }, (_, at) => deaths[(decks * deathsInDeck + at) % deaths.length]);
		const shuffled = [...ownFaults, ...(turn as Fault[])].map((fault) => ({ fault, at: random() }));
		deck = shuffled.sort((a, b) => a.at - b.at).map(({ fault }) => fault);
		decks += 1;
	}
	return deck.pop() as Fault;
}

let subject: Subject;
let hanging: Subject;
/** By kind of edit, how many moments each step has. */
let moments: Map<string, number>[];
beforeAll(async () => {
	subject = await openSubject({ isWatched: true });
	await subject.app.database.client.execute('UPDATE settings SET watch_seconds = 2');
	const double = makeKumodExecutableDouble(temporaryDirectory());
	double.set({ validate: 'hang' });
	hanging = withKumod(subject, double.bin, 100);
	await expectNextApply(subject);
	moments = [await countMoments(subject, 0), await countMoments(subject, 1), await countMoments(subject, 2)];
	console.log(`faults: ${runs} runs, seed ${seed} (repeat with FAULT_SEED=${seed})`);
}, 120_000);
afterAll(() => closeCompiler(subject.app));

const setConfirm = (isOn: boolean) =>
	subject.app.database.client.execute({ sql: 'UPDATE settings SET confirm_listeners = ?', args: [Number(isOn)] });

async function breakOff(fault: Fault, edit: number): Promise<{ outcome: string; isHit: boolean; how: string }> {
	const { kind, step } = fault;
	const index = between(0, (moments[edit]?.get(step) ?? 1) - 1);
	const how = `${kind} at moment ${index} of ${step}`;
	if (kind === 'hang') {
		const { outcome } = await applyFailing(hanging, fault, { index: -1 });
		return { outcome, isHit: outcome === 'failed', how };
	}
	if (kind === 'killed') {
		// An apply without a watch has fewer moments there.
		const isHit = (await applyInChild(subject, `${step}:${step === 'watch' ? 0 : index}`)).signal !== null;
		return { outcome: isHit ? 'killed' : 'survived', isHit, how };
	}
	const isLasting = random() < 0.3;
	const answer = await applyFailing(subject, fault, { index, isLasting, jumpMs: between(-day, day) });
	return { ...answer, how: isLasting ? `${how}, lasting` : how };
}

function table(hits: Map<string, number>): string {
	const kinds = [...new Set(everyFault.map(({ kind }) => kind))];
	const cell = (kind: string, step: string) => String(hits.get(`${kind} ${step}`) ?? '-').padStart(9);
	return [
		`${''.padEnd(7)}${faultSteps.map((step) => step.padStart(9)).join('')}`,
		...kinds.map((kind) => `${kind.padEnd(7)}${faultSteps.map((step) => cell(kind, step)).join('')}`)
	].join('\n');
}

describe('an apply that is broken off anywhere', { timeout: timeoutMs }, () => {
	it('leaves one complete revision live, true records and a free lock, every time', async () => {
		const [seen, hits] = [new Map<string, number>(), new Map<string, number>()];
		let live: number | null = await expectNextApply(subject);
		let count = 0;
		for (let run = 1; run <= runs; run += 1) {
			const fault = drawFault();
			const edit = between(0, 2);
			if (random() < 0.02) {
				await removeEverythingOnDisk(subject);
				live = null;
			} else await editPolicy(subject, edit);
			// Nobody confirms: a change that restarts goes back by itself, unless its fault is earlier.
			await setConfirm(fault.kind !== 'killed' && random() < 0.2);
			subject.skew.ms = random() < 0.3 ? between(-day, day) : 0;
			let where = `seed ${seed}, run ${run}: ${fault.kind} at ${fault.step}`;
			try {
				const { outcome, isHit, how } = await breakOff(fault, edit);
				where = `seed ${seed}, run ${run}: ${how}`;
				await setConfirm(false);
				const now = await expectWhole(subject, live);
				if (outcome === 'applied') expect(now).not.toBe(live);
				if (['refused', 'failed', 'reverted'].includes(outcome)) expect(now).toBe(live);
				if (fault.kind !== 'killed')
					expect(temporaryFiles(subject).filter((name) => name.endsWith('.tmp'))).toEqual([]);
				await expectLeftoversGo(subject, now);
				seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
				const key = `${fault.kind} ${fault.step}`;
				if (isHit) hits.set(key, (hits.get(key) ?? 0) + 1);
				count += isHit ? 1 : 0;
				live = await expectNextApply(subject);
				if (run % 100 === 0) console.log(`faults: ${run} runs done`);
			} catch (error) {
				throw new Error(where, { cause: error });
			}
		}
		console.log(`faults: ${count} of ${runs} runs were hit\n${table(hits)}`);
		console.log(`faults: ${JSON.stringify(Object.fromEntries(seen))}`);
		if (runs >= 20) expect(count / runs).toBeGreaterThanOrEqual(0.9);
		if (runs < everyFault.length * 5) return;
		expect(everyFault.filter(({ kind, step }) => !hits.has(`${kind} ${step}`))).toEqual([]);
		expect([...seen.keys()]).toEqual(expect.arrayContaining(['applied', 'failed', 'killed', 'reverted', 'running']));
	});
});
