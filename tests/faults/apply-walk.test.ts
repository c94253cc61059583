import { afterEach, describe, expect, it } from 'vitest';
import { closeCompiler } from '../../src/lib/server/policy/compile.ts';
import {
	applyInChild,
	editPolicy,
	expectLeftoversGo,
	expectNextApply,
	expectWhole,
	openSubject
} from '../support/apply-faults.ts';
import type { Subject } from '../support/apply-faults.ts';

let subject: Subject;
afterEach(() => closeCompiler(subject.app));

const isSwapped = (moments: string[]) => moments.includes('swap.after-rename');

describe('an apply whose process is killed', { timeout: 1_800_000 }, () => {
	it('leaves the first revision whole or none, at every moment', async () => {
		for (let deadly = 1; ; deadly += 1) {
			subject = await openSubject();
			const { moments, signal } = await applyInChild(subject, deadly);
			const where = `${deadly} ${moments.at(-1) ?? ''}`;
			const live = await expectWhole(subject, null);
			if (signal === null) break;
			expect([where, signal]).toEqual([where, 'SIGKILL']);
			if (isSwapped(moments)) expect([where, live]).toEqual([where, 1]);
			await expectLeftoversGo(subject, live);
			await expectNextApply(subject);
			await closeCompiler(subject.app);
		}
	});

	it('leaves the old revision or the new one, at every moment of a later apply', async () => {
		subject = await openSubject();
		let live = await expectNextApply(subject);
		for (let deadly = 1; ; deadly += 1) {
			await editPolicy(subject, deadly);
			const { moments, signal } = await applyInChild(subject, deadly);
			const where = `${deadly} ${moments.at(-1) ?? ''}`;
			const now = await expectWhole(subject, live);
			if (signal === null) break;
			if (isSwapped(moments)) expect([where, now]).not.toEqual([where, live]);
			await expectLeftoversGo(subject, now);
			live = await expectNextApply(subject);
		}
		console.log('faults: every moment was walked');
	});
});
