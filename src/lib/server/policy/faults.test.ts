import { afterEach, describe, expect, it } from 'vitest';
import {
	apply,
	applyFailing,
	applyInChild,
	countMoments,
	editPolicy,
	expectNextApply,
	expectWhole,
	openSubject
} from '../../../../tests/support/apply-faults.ts';
import type { Subject } from '../../../../tests/support/apply-faults.ts';
import { failingCalls } from '../../../../tests/support/fault-aim.ts';
import { closeCompiler } from './compile.ts';

let subject: Subject | undefined;
afterEach(async () => {
	if (subject !== undefined) await closeCompiler(subject.app);
});

/** The names of the moments of a plain apply, in order. */
async function momentsOf(given: Subject): Promise<string[]> {
	const names: string[] = [];
	given.fault.point = (name) => void names.push(name);
	await apply(given);
	given.fault.point = undefined;
	return names;
}

describe('an apply that fails between two writes', () => {
	it.each(['ENOSPC', 'EACCES', 'EIO'])('leaves one complete revision live at every moment (%s)', async (code) => {
		subject = await openSubject();
		await expectNextApply(subject);
		await editPolicy(subject, 0);
		const moments = await momentsOf(subject);
		let live = await expectNextApply(subject);
		expect(moments.length).toBeGreaterThan(40);
		const step = 11;
		for (let deadly = 1 + (code.length % step); deadly <= moments.length; deadly += step) {
			await editPolicy(subject, deadly);
			let moment = 0;
			subject.fault.point = () => {
				moment += 1;
				if (moment === deadly) throw Object.assign(new Error(code), { code });
			};
			const answer = await apply(subject).catch((error: unknown) => error as Error);
			subject.fault.point = undefined;
			const outcome = answer instanceof Error ? 'refused' : answer.outcome;
			const isNew = (await expectWhole(subject, live)) !== live;
			const where = `${deadly} ${moments[deadly - 1]}`;
			expect([where, outcome, isNew]).toEqual([where, outcome, outcome === 'applied']);
			live = await expectNextApply(subject);
		}
	});
});

describe('an apply that fails while it is watched, or on its way back', () => {
	it('leaves one complete revision live at every moment, whatever fails or jumps', { timeout: 120_000 }, async () => {
		subject = await openSubject({ isWatched: true });
		await subject.app.database.client.execute('UPDATE settings SET watch_seconds = 2');
		await expectNextApply(subject);
		const kinds = [...failingCalls, 'clock'] as const;
		const counts = await countMoments(subject, 1);
		let live = await expectNextApply(subject);
		let drawn = 0;
		for (const step of ['watch', 'revert'] as const) {
			const moments = counts.get(step) ?? 0;
			expect([step, moments > 2]).toEqual([step, true]);
			for (let index = 0; index < moments; index += 1) {
				drawn += 1;
				const kind = kinds[drawn % kinds.length] ?? 'EIO';
				await editPolicy(subject, 1);
				subject.skew.ms = 0;
				const fault = { kind, step };
				const { outcome, isHit } = await applyFailing(subject, fault, { index, jumpMs: 86_400_000 });
				const where = `${kind} at moment ${index} of ${step}`;
				expect([where, isHit]).toEqual([where, true]);
				// A clock harms nothing; what fails leads back, at once or at the next turn.
				const isKept = kind === 'clock' && step === 'watch';
				expect([where, isKept ? 'applied' : outcome]).toEqual([where, outcome]);
				if (!isKept) expect(['reverted', 'running']).toContain(outcome);
				const now = await expectWhole(subject, live);
				expect([where, now !== live]).toEqual([where, isKept]);
				live = await expectNextApply(subject);
			}
		}
	});
});

describe('an apply whose process is killed between two writes', () => {
	it('leaves one complete revision live, a true record and a free lock', { timeout: 90_000 }, async () => {
		subject = await openSubject();
		const { moments } = await applyInChild(subject, 0);
		expect(moments.at(-1)).toBe('outcome applied 1');
		let live = (await expectWhole(subject, null)) ?? 0;
		expect(live).toBe(1);
		const named = {
			'stage.written': false,
			'dovecot.staged': false,
			'swap.before-rename': false,
			'swap.after-rename': true,
			'dovecot.before-rename': true,
			'dovecot.after-rename': true,
			'record.before': true
		};
		for (const [name, isNew] of Object.entries(named)) {
			await editPolicy(subject, 1);
			const child = await applyInChild(subject, name);
			expect([name, child.signal, child.moments.at(-1)]).toEqual([name, 'SIGKILL', name]);
			const now = await expectWhole(subject, live);
			expect([name, now !== live]).toEqual([name, isNew]);
			live = await expectNextApply(subject);
		}
	});
});
