import { afterEach, describe, expect, it } from 'vitest';
import { createWorkerThread } from './worker-thread.ts';
import type { WorkerThread } from './worker-thread.ts';

const lost = { kind: 'changes', was: null, now: '/nowhere', page: {} } as const;
let thread: WorkerThread;

afterEach(() => thread.close());

describe('the policy worker', () => {
	it('answers what fails, in order, and lives on', async () => {
		thread = createWorkerThread();
		const answers = await thread.run((ask) => Promise.all([ask(lost), ask({ kind: 'build' }), ask(lost)]));
		expect(answers.map(({ kind }) => kind)).toEqual(['failed', 'failed', 'failed']);
		expect(answers[1]).toMatchObject({ message: expect.stringContaining('before it began') });
	});

	it('fails every open question when it dies, and the next job starts another', async () => {
		thread = createWorkerThread();
		const dying = thread.run(async (ask) => {
			const open = Promise.allSettled([ask(lost), ask(lost)]);
			await thread.close();
			return open;
		});
		for (const { status } of await dying) expect(status).toBe('rejected');
		expect(await thread.run((ask) => ask(lost))).toMatchObject({ kind: 'failed' });
	});

	it('runs one job after the other, also after one that failed', async () => {
		thread = createWorkerThread();
		const log: string[] = [];
		const first = thread.run(async (ask) => {
			await ask(lost);
			log.push('first');
			throw new Error('on purpose');
		});
		const second = thread.run(async () => void log.push('second'));
		await expect(first).rejects.toThrow('on purpose');
		await second;
		expect(log).toEqual(['first', 'second']);
	});
});
