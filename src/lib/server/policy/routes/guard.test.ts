import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { applyPending } from '../apply.ts';
import { usualTimes } from '../apply-run.ts';
import { moveToWarm, request, routesApp, statuses, writeCustomLua } from '../../../../../tests/support/routes-app.ts';

const moved = [
	'leaves by pool warm instead of main',
	'does not leave from source Out 1 any more',
	'may leave from source Out 2 too'
];

describe('an apply', () => {
	it('with a broken route goes nowhere live; with its name it does, and both are audited', async () => {
		const at = await routesApp();
		const { must, apply, run, roots } = at;
		await must('routes.create', { name: 'news', request });
		const first = await apply();
		expect(first.data).toMatchObject({ outcome: 'applied', revision: 1 });
		expect(first.data.steps[4]).toMatchObject({ name: 'routes', status: 'ok', output: '1 golden route is kept.' });
		const live = readFileSync(roots.init, 'utf8');
		await moveToWarm(at);
		for (const wishes of [{}, { overridingRoutes: ['another'] }, { overridingRoutes: [] }]) {
			const { error } = await apply(wishes);
			expect(error).toMatchObject({ code: 'PRECONDITION_FAILED', reason: 'routes-broken' });
			expect(error.message).toContain(`“news” ${moved.join(', ')}. Nothing went live.`);
			expect(error.data.problems).toEqual([{ route: 'news', differences: moved }]);
			expect(readFileSync(roots.init, 'utf8')).toBe(live);
			expect(await must('status')).toMatchObject({ liveRevision: 1, runningApplyId: null });
		}
		const [refused] = (await run('SELECT outcome, steps FROM applies ORDER BY started_at DESC, rowid DESC LIMIT 1'))
			.rows;
		expect(refused?.outcome).toBe('refused');
		expect(JSON.parse(refused?.steps as string).at(-1)).toMatchObject({ name: 'routes', status: 'failed' });

		const overridden = await apply({ overridingRoutes: ['news'] });
		expect(overridden.data).toMatchObject({ outcome: 'applied' });
		expect(overridden.data.steps[4].output).toContain(`Overridden: “news” ${moved.join(', ')}.`);
		expect(readFileSync(roots.init, 'utf8')).not.toBe(live);
		const audited = await run(
			"SELECT outcome, reason, input FROM audit_entries WHERE action = 'policy.apply' ORDER BY id"
		);
		expect(audited.rows.map(({ outcome, reason }) => [outcome, reason])).toEqual([
			['ok', null],
			...Array<unknown>(3).fill(['PRECONDITION_FAILED', 'routes-broken']),
			['ok', null]
		]);
		expect(audited.rows.at(-1)?.input as string).toContain('"overridingRoutes":["news"]');
	});

	it('whose routes last longer than an answer waits is refused in its record, as a short one', async () => {
		const at = await routesApp();
		await at.must('routes.create', { name: 'news', request });
		await at.apply();
		await moveToWarm(at);
		const { hash } = await at.must('preview');
		const caller = { actor: 'cli:0', name: 'cli:0', userId: null, sessionId: null };
		const times = { ...usualTimes, answerAfterMs: 0 };
		const { outcome, applyId } = await applyPending(at.app, caller, { expectedHash: hash }, times);
		expect(outcome).toBe('running');
		await expect
			.poll(async () => (await at.must('progress', { applyId })).outcome, { timeout: 15_000 })
			.toBe('refused');
		const { steps } = await at.must('progress', { applyId });
		const short = (await at.apply()).error;
		expect(steps.at(-1)).toMatchObject({
			name: 'routes',
			status: 'failed',
			output: short.message,
			refusal: { reason: 'routes-broken', problems: short.data.problems }
		});
	});

	it('without routes says so, and leaves nothing staged when a route refuses the first one', async () => {
		const { must, apply, roots } = await routesApp();
		await must('routes.create', { name: 'odd', request, expectation: { verdict: 'refused' } });
		expect((await apply()).error.reason).toBe('routes-broken');
		expect(existsSync(roots.init)).toBe(false);
		expect(existsSync(`${roots.init}.staged-1`)).toBe(false);
		const { items } = await must('routes.list');
		await must('routes.remove', { id: items[0].id });
		const { data } = await apply();
		expect(data).toMatchObject({ outcome: 'applied', revision: 2 });
		expect(data.steps[4]).toMatchObject({ status: 'skipped', output: 'No golden routes are saved.' });
	});

	it('runs them when it restores, and never on the way back', async () => {
		const at = await routesApp();
		const { must, call, apply } = at;
		await apply();
		await moveToWarm(at);
		const { applyId } = (await apply()).data;
		await must('routes.create', { name: 'news', request });
		const restored = await call('restore', { number: 1 });
		expect(restored.error.message).toContain('“news” leaves by pool main instead of warm');
		expect((await must('revert', { applyId })).outcome).toBe('applied');
		expect(await must('status')).toMatchObject({ liveRevision: 1 });
		expect(await must('restore', { number: 2, overridingRoutes: ['news'] })).toMatchObject({ outcome: 'applied' });
	});

	it('takes a route that cannot run as broken, with its reason', async () => {
		const at = await routesApp();
		await at.must('routes.create', { name: 'news', request });
		writeCustomLua(at, 'error("not today")');
		const { error } = await at.apply();
		expect(error).toMatchObject({ code: 'PRECONDITION_FAILED', reason: 'routes-broken' });
		expect(error.message).toMatch(/“news” was not run: The policy did not run in the simulator: .*not today/);
		expect(statuses(await at.must('routes.check'))).toEqual(['news not-run']);
	});
});
