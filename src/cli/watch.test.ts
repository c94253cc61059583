import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { apply, edit, initOf, pauseOne, rename, runningId, watchedNode } from '../../tests/support/watched-node.ts';
import { getProgress } from '../lib/server/policy/service.ts';
import { update } from '../lib/server/settings/service.ts';

/** The command line in a process of its own, beside the process that watches. */

type Node = Awaited<ReturnType<typeof watchedNode>>;

interface Ended {
	code: number | null;
	out: string;
	err: string;
}

function run({ app, api }: Node, args: string[]): Promise<Ended> {
	const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), 'policy', ...args], {
		env: {
			PATH: process.env['PATH'] ?? '',
			DATA_DIR: app.env.dataDir,
			KUMOMTA_ROOT: app.env.kumomtaRoot,
			KUMOD_API: api.url
		},
		stdio: ['ignore', 'pipe', 'pipe']
	});
	const ended: Ended = { code: null, out: '', err: '' };
	child.stdout.on('data', (chunk: Buffer) => (ended.out += chunk.toString()));
	child.stderr.on('data', (chunk: Buffer) => (ended.err += chunk.toString()));
	return new Promise((resolve) => child.on('close', (code) => resolve({ ...ended, code })));
}

/** An apply during whose watch, at `when`, these arguments are run with its id. */
async function applyWith(
	node: Node,
	when: number,
	args: string[]
): Promise<{ ended: Ended | undefined; answer: Awaited<ReturnType<typeof apply>> }> {
	let ended: Ended | undefined;
	node.timer.onSleep = async (now) => {
		if (now === when) ended = await run(node, [...args, await runningId(node)]);
	};
	const answer = await apply(node);
	return { ended, answer };
}

describe('policy end-watch', { timeout: 60_000 }, () => {
	it.each([
		[[], 'applied', 'ended-early', 'The watch ends; the revision is kept.\n'],
		[['--take-back'], 'reverted', 'taken-back', 'It is being taken back.\n']
	])('%j ends the watch of another process', async (options, outcome, verdict, out) => {
		const node = await watchedNode();
		const former = initOf(node);
		await edit(node, pauseOne);
		const { ended, answer } = await applyWith(node, 5000, ['end-watch', ...options]);
		expect(ended).toEqual({ code: 0, out, err: '' });
		expect([answer.outcome, node.timer.now(), initOf(node) === former]).toEqual([
			outcome,
			5000,
			outcome === 'reverted'
		]);
		const { watch } = await getProgress(node.app, answer);
		expect(watch).toMatchObject({ verdict, text: expect.stringContaining(`cli:${process.getuid?.()}`) as string });
	});
});

describe('policy confirm', { timeout: 60_000 }, () => {
	it('keeps a change of listeners that another process waits with', async () => {
		const node = await watchedNode();
		await update(node.app, { confirmListeners: true });
		await edit(node, rename);
		const { ended, answer } = await applyWith(node, 90_000, ['confirm']);
		expect(ended).toEqual({ code: 0, out: 'Confirmed. The revision stays.\n', err: '' });
		expect([answer.outcome, node.timer.now()]).toEqual(['applied', 90_000]);
	});
});

describe('what cannot be ended or confirmed', { timeout: 60_000 }, () => {
	it('is wrong input when it is unknown or not named, and a failed check when it is over', async () => {
		const node = await watchedNode();
		await edit(node, pauseOne);
		await update(node.app, { watchSeconds: 0 });
		const { applyId } = await apply(node);
		const former = initOf(node);
		for (const verb of ['end-watch', 'confirm']) {
			expect(await run(node, [verb])).toMatchObject({ code: 2, out: '' });
			expect(await run(node, [verb, 'x'.repeat(21)])).toMatchObject({ code: 2, out: '' });
			const over = await run(node, [verb, applyId]);
			expect(over).toMatchObject({ code: 3, out: '', err: expect.stringContaining('is not being watched') as string });
		}
		expect(initOf(node)).toBe(former);
	});
});
