import { rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { caller } from '../../../../tests/support/app.ts';
import { refusalOf } from '../../../../tests/support/refusal.ts';
import {
	apply,
	edit,
	initOf,
	pauseOne,
	rename,
	runningId,
	watchedNode,
	who
} from '../../../../tests/support/watched-node.ts';
import { update } from '../settings/service.ts';
import { applyPending } from './apply.ts';
import { recoverApplies } from './recover.ts';
import { refreshAgain } from './refresh-again.ts';
import { policyRoots } from './roots.ts';
import { getProgress, getStatus } from './service.ts';
import { stopWatches } from './watch-stop.ts';
import { confirmMs } from './watch.ts';

describe('an apply that is watched', () => {
	it('is kept when all is well, after exactly its time, whatever the wall clock does', async () => {
		const node = await watchedNode();
		await edit(node, pauseOne);
		node.timer.onSleep = (now) => void node.setClock(node.clock() + (now % 2000 === 0 ? 86_400_000 : -86_400_000));
		const answer = await apply(node);
		expect(answer).toMatchObject({ outcome: 'applied', revision: 2 });
		expect(node.timer.now()).toBe(60_000);
		const { watch } = await getProgress(node.app, answer);
		expect(watch).toMatchObject({ phase: 'ended', verdict: 'good' });
		expect(watch?.samples.length).toBeLessThanOrEqual(60);
		expect(watch?.measures.find(({ name }) => name === 'liveness')?.text).toBe('Alive at 61 of 61 looks.');
	});

	it.each<[string, (node: Awaited<ReturnType<typeof watchedNode>>) => unknown, string]>([
		['KumoMTA is not alive any more', ({ api }) => (api.script.notAlive = 'load shedding'), 'load shedding'],
		['a listener does not greet any more', ({ smtp }) => smtp.close(), 'did not greet 2 times in a row']
	])('is taken back when %s, and keeps the evidence', async (_, breakIt, evidence) => {
		const node = await watchedNode();
		const before = initOf(node);
		await edit(node, pauseOne);
		node.timer.onSleep = async (now) => {
			if (now === 10_000) await breakIt(node);
		};
		const answer = await apply(node);
		expect(answer.outcome).toBe('reverted');
		expect(initOf(node)).toBe(before);
		expect(node.timer.now()).toBeLessThan(20_000);
		const { watch, steps } = await getProgress(node.app, answer);
		expect(watch).toMatchObject({ verdict: 'breach', text: expect.stringContaining(evidence) as string });
		expect(steps.find(({ name }) => name === 'watch')).toMatchObject({ status: 'failed' });
		expect(steps.find(({ name }) => name === 'revert')?.output).toContain('Revision 1-');
	});

	it('is taken back when submission greets, but breaks off inside STARTTLS', async () => {
		const node = await watchedNode({ purpose: 'submission' });
		await edit(node, pauseOne);
		node.timer.onSleep = (now) => {
			if (now === 10_000) node.smtp.behave('broken-tls');
		};
		const answer = await apply(node);
		expect(answer.outcome).toBe('reverted');
		const { watch } = await getProgress(node.app, answer);
		expect(watch?.measures.filter(({ verdict }) => verdict === 'breach').map(({ name }) => name)).toEqual([
			'greetings'
		]);
	});

	it('is taken back when it rejects far more than before', async () => {
		const node = await watchedNode();
		const { app, api, timer } = node;
		const [received, rejected] = [
			'total_messages_received{service="esmtp_listener"}',
			'smtp_server_rejections{service="total"}'
		];
		for (const step of [0, 1, 2]) {
			api.script.counters = { [received]: 1000 * step, [rejected]: step };
			node.setClock(node.clock() + 10_000);
			await app.metrics.poll();
		}
		await edit(node, pauseOne);
		timer.onSleep = () => {
			node.setClock(node.clock() + 1000);
			api.script.counters[rejected] = (api.script.counters[rejected] ?? 0) + 10;
		};
		const answer = await apply(node);
		expect(answer.outcome).toBe('reverted');
		const { watch } = await getProgress(app, answer);
		expect(watch?.measures.find(({ verdict }) => verdict === 'breach')?.name).toBe('rejected');
	});

	it('is not judged by the counters where there is no traffic', async () => {
		const node = await watchedNode();
		await edit(node, pauseOne);
		const { watch } = await getProgress(node.app, await apply(node));
		expect(watch?.measures.map(({ name, verdict }) => `${name} ${verdict}`)).toEqual([
			'liveness good',
			'greetings good',
			'internal-errors good',
			'cache-errors not-judged',
			'rejected not-judged',
			'deferred not-judged',
			'failed not-judged'
		]);
	});

	it('waits for the second epoch, pays it, and leaves the job nothing', async () => {
		const node = await watchedNode();
		const bumps = () => node.api.requests.filter((line) => line === 'POST /api/admin/bump-config-epoch').length;
		await edit(node, 'UPDATE pool_sources SET weight = weight + 1');
		const answer = await apply(node);
		expect(answer.outcome).toBe('applied');
		expect([bumps(), node.timer.now()]).toEqual([2, 125_000]);
		node.setClock(node.clock() + 100_000);
		await refreshAgain(node.app);
		expect(bumps()).toBe(2);
	});

	it.each([
		[false, 'applied', 'ended-early', 'ended the watch and kept it'],
		[true, 'reverted', 'taken-back', 'took it back']
	])('is ended from anywhere (take back: %s)', async (takeBack, outcome, verdict, words) => {
		const node = await watchedNode();
		await edit(node, pauseOne);
		const refusals: unknown[] = [];
		node.timer.onSleep = async (now) => {
			if (now !== 5000) return;
			expect((await getStatus(node.app)).watching).toMatchObject({ phase: 'watching', confirmUntilAt: null });
			refusals.push(await refusalOf(applyPending(node.app, who, { expectedHash: 'a'.repeat(64) })));
			await caller(node.app).policy.endWatch({ applyId: await runningId(node), takeBack });
		};
		const answer = await apply(node);
		expect(refusals).toEqual([expect.objectContaining({ code: 'CONFLICT', reason: 'apply-running' })]);
		expect(answer.outcome).toBe(outcome);
		expect(node.timer.now()).toBe(5000);
		const { watch } = await getProgress(node.app, answer);
		expect(watch).toMatchObject({ verdict, text: expect.stringContaining(words) as string });
		expect(await refusalOf(caller(node.app).policy.endWatch({ applyId: answer.applyId }))).toMatchObject({
			reason: 'not-watched'
		});
	});

	it('is broken off when the server stops, and stays live', async () => {
		const node = await watchedNode();
		await edit(node, pauseOne);
		let stopping: Promise<void> | undefined;
		node.timer.onSleep = (now) => {
			if (now === 5000) stopping = stopWatches(node.app.db);
		};
		const answer = await apply(node);
		await stopping;
		expect(answer.outcome).toBe('applied');
		expect(answer.steps.find(({ name }) => name === 'watch')).toMatchObject({ status: 'skipped' });
		expect((await getProgress(node.app, answer)).watch).toMatchObject({ verdict: 'broken-off' });
	});
});

describe('an apply that has to be confirmed', () => {
	const needing = async () => {
		const node = await watchedNode();
		await update(node.app, { confirmListeners: true });
		await edit(node, rename);
		return { ...node, before: initOf(node) };
	};

	it('goes back when nobody comes', async () => {
		const node = await needing();
		const answer = await apply(node);
		expect([answer.outcome, initOf(node)]).toEqual(['reverted', node.before]);
		expect(node.timer.now()).toBe(60_000 + confirmMs);
		expect((await getProgress(node.app, answer)).watch).toMatchObject({ verdict: 'not-confirmed' });
	});

	it.each([10_000, 90_000])('stays when somebody confirms it after %i ms', async (when) => {
		const node = await needing();
		node.timer.onSleep = async (now) => {
			if (now === when) await caller(node.app).policy.confirm({ applyId: await runningId(node) });
		};
		const answer = await apply(node);
		expect(answer.outcome).toBe('applied');
		expect(node.timer.now()).toBe(Math.max(60_000, when));
		expect((await getProgress(node.app, answer)).confirmedBy).toBe('ops@example.net');
	});

	it('does not ask where nothing restarts', async () => {
		const node = await watchedNode();
		await update(node.app, { confirmListeners: true });
		await edit(node, pauseOne);
		expect((await apply(node)).outcome).toBe('applied');
		expect(node.timer.now()).toBe(60_000);
	});

	const stopWhileConfirming = async () => {
		const node = await needing();
		node.timer.onSleep = (now) => void (now === 70_000 && stopWatches(node.app.db));
		const { outcome, applyId } = await apply(node);
		expect(outcome).toBe('running');
		await recoverApplies(node.app);
		expect((await getProgress(node.app, { applyId })).outcome).toBe('running');
		expect(await refusalOf(apply(node))).toMatchObject({ reason: 'apply-running' });
		return { node, applyId };
	};

	it('is taken back at its deadline although the panel stopped', async () => {
		const { node, applyId } = await stopWhileConfirming();
		node.setClock(node.clock() + confirmMs);
		await recoverApplies(node.app);
		expect((await getProgress(node.app, { applyId })).outcome).toBe('reverted');
		expect(initOf(node)).toBe(node.before);
	});

	it.each([
		['watch.begun', false],
		['watch.judged', false],
		['watch.confirming', false],
		['watch.ended', true],
		['revert.before-put-back', true],
		['revert.after-put-back', true]
	])('is whole when its process ends at %s, and goes back', async (moment, isDecided) => {
		const node = await needing();
		const gone = new Promise<void>((resolve) => {
			node.fault.point = (name) => (name === moment ? (resolve(), new Promise<never>(() => {})) : undefined);
		});
		const copy = { ...node.app, db: node.app.db };
		void apply({ ...node, app: copy });
		await gone;
		delete node.fault.point;
		// The process that held the lock is gone: only what it wrote is left.
		const { rows } = await edit(node, "SELECT id FROM applies WHERE outcome = 'running'");
		const applyId = rows[0]?.['id'] as string;
		rmSync(policyRoots(node.app.env.kumomtaRoot).lock, { force: true });
		await recoverApplies(node.app);
		expect((await getProgress(node.app, { applyId })).outcome).toBe(isDecided ? 'reverted' : 'running');
		node.setClock(node.clock() + 60_000 + confirmMs);
		await recoverApplies(node.app);
		expect((await getProgress(node.app, { applyId })).outcome).toBe('reverted');
		expect(initOf(node)).toBe(node.before);
	});

	it('can still be confirmed after the panel stopped', async () => {
		const { node, applyId } = await stopWhileConfirming();
		await caller(node.app).policy.confirm({ applyId });
		expect((await getProgress(node.app, { applyId })).outcome).toBe('applied');
		expect(initOf(node)).not.toBe(node.before);
	});
});
