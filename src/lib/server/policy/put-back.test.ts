import { describe, expect, it } from 'vitest';
import { caller } from '../../../../tests/support/app.ts';
import { refusalOf } from '../../../../tests/support/refusal.ts';
import { apply, edit, initOf, pauseOne, watchedNode } from '../../../../tests/support/watched-node.ts';
import { findDrift } from './drift.ts';
import { readLive } from './live.ts';
import { recoverApplies } from './recover.ts';
import { refreshAgain } from './refresh-again.ts';
import { policyRoots } from './roots.ts';
import { getProgress, getStatus } from './service.ts';

/** Revision 2 breaks a limit while the disk refuses what its way back writes. */
async function stuckNode(code: string, moment: RegExp) {
	const node = await watchedNode();
	const former = initOf(node);
	await edit(node, pauseOne);
	node.timer.onSleep = (now) => void (now === 5000 && (node.api.script.notAlive = 'load shedding'));
	node.api.script.onBump = () => void (node.api.script.notAlive = undefined);
	let isGoingBack = false;
	node.fault.point = (name) => {
		isGoingBack ||= name === 'watch.ended';
		if (isGoingBack && moment.test(name)) throw Object.assign(new Error(code), { code });
	};
	const answer = await apply(node);
	return { node, answer, isBack: () => initOf(node) === former };
}

const isWhole = async ({ app }: Awaited<ReturnType<typeof watchedNode>>) => {
	const roots = policyRoots(app.env.kumomtaRoot);
	expect(await findDrift(app.host, roots, await readLive(app.host, roots))).toEqual([]);
};
const errorsOf = ({ app }: Awaited<ReturnType<typeof watchedNode>>) =>
	app.logLines.filter((line) => line.includes('a revision could not be put back'));

describe('a way back that the disk refuses', () => {
	it.each([
		['ENOSPC', /^file\.write init\.lua$/, 'the disk is full'],
		['EACCES', /^file\.open init\.lua$/, 'may not write there'],
		['EIO', /^file\.rename init\.lua/, 'reports an error'],
		['EROFS', /refresh/, 'read-only']
	])(
		'leaves the bad revision whole, says so loudly, and is tried until it is done (%s)',
		async (code, moment, words) => {
			const { node, answer, isBack } = await stuckNode(code, moment);
			expect([answer.outcome, isBack()]).toEqual(['running', false]);
			await isWhole(node);
			const stuck = answer.steps.at(-1);
			expect(stuck).toMatchObject({ name: 'revert', status: 'failed' });
			expect(stuck?.output).toContain('still live, whole');
			expect(stuck?.output).toContain(words);
			expect(stuck?.output).not.toContain('What was live before is still live');
			expect(errorsOf(node).length).toBe(1);
			expect((await getStatus(node.app)).watching).toMatchObject({ applyId: answer.applyId, phase: 'putting-back' });
			expect(await refusalOf(apply(node))).toMatchObject({ code: 'CONFLICT', reason: 'apply-running' });

			await recoverApplies(node.app);
			const still = await getProgress(node.app, answer);
			expect([still.outcome, isBack(), still.steps.length]).toEqual(['running', false, answer.steps.length]);
			await isWhole(node);

			delete node.fault.point;
			await recoverApplies(node.app);
			const done = await getProgress(node.app, answer);
			expect([done.outcome, isBack()]).toEqual(['reverted', true]);
			expect(done.steps.at(-1)).toMatchObject({ name: 'revert', status: 'ok' });
			expect(done.watch).toMatchObject({ verdict: 'breach' });
			expect((await getStatus(node.app)).watching).toBeNull();
			await isWhole(node);
			node.timer.onSleep = () => {};
			expect((await apply(node)).outcome).toBe('applied');
		}
	);

	it('is tried at once when somebody asks, and never kept', async () => {
		const { node, answer, isBack } = await stuckNode('ENOSPC', /^file\.write init\.lua$/);
		const { applyId } = answer;
		expect(await refusalOf(caller(node.app).policy.endWatch({ applyId }))).toMatchObject({ reason: 'apply-running' });
		delete node.fault.point;
		await caller(node.app).policy.endWatch({ applyId, takeBack: true });
		expect([(await getProgress(node.app, answer)).outcome, isBack()]).toEqual(['reverted', true]);
	});

	it('that fails after its rename is done, and KumoMTA is told by the job', async () => {
		const { node, answer, isBack } = await stuckNode('EIO', /^revert\.after-put-back$/);
		expect([answer.outcome, isBack()]).toEqual(['reverted', true]);
		const bumps = () => node.api.requests.filter((line) => line === 'POST /api/admin/bump-config-epoch').length;
		const before = bumps();
		delete node.fault.point;
		await refreshAgain(node.app);
		expect(bumps()).toBe(before + 1);
	});
});

describe('an apply whose process ended before the way back', () => {
	it.each(['refresh', 'probe'])('goes back at the next start when %s had failed', async (name) => {
		const node = await watchedNode();
		const former = initOf(node);
		await edit(node, pauseOne);
		const { applyId, steps } = await apply(node);
		const until = steps.findIndex((step) => step.name === name);
		const left = [...steps.slice(0, until), { ...steps[until], status: 'failed' }];
		await node.app.database.client.execute({
			sql: "UPDATE applies SET outcome = 'running', watch = NULL, steps = ? WHERE id = ?",
			args: [JSON.stringify(left), applyId]
		});
		await recoverApplies(node.app);
		expect([(await getProgress(node.app, { applyId })).outcome, initOf(node)]).toEqual(['reverted', former]);
	});
});
