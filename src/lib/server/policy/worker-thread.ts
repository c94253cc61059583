import { Worker } from 'node:worker_threads';
import { assetPath } from '../core/assets.ts';
import type { WorkerAnswer, WorkerCall } from './worker.ts';

/** The one worker of a process: jobs stand in a queue, and the thread ends when nobody needed it for a while. */
export interface WorkerThread {
	/** Runs a job that may post and ask; no other job's messages come between. */
	run: <T>(job: (thread: JobThread) => Promise<T>) => Promise<T>;
	close: () => Promise<void>;
}

interface JobThread {
	post: (call: WorkerCall) => void;
	ask: (call: WorkerCall) => Promise<WorkerAnswer>;
}

const idleMs = 30_000;

/** Starts nothing until the first job. @param memoryMb the heap at which the worker is stopped and its job fails. */
export function createWorkerThread(memoryMb = 512): WorkerThread {
	let worker: Worker | undefined;
	let last: Promise<unknown> = Promise.resolve();
	let idle: NodeJS.Timeout | undefined;

	function start(): Worker {
		const started = new Worker(assetPath('policy-worker'), { resourceLimits: { maxOldGenerationSizeMb: memoryMb } });
		started.unref();
		started.once('exit', () => {
			if (worker === started) worker = undefined;
		});
		return started;
	}

	async function close(): Promise<void> {
		clearTimeout(idle);
		const ending = worker;
		worker = undefined;
		await ending?.terminate();
	}

	return {
		run(job) {
			const running = last.then(async () => {
				clearTimeout(idle);
				const thread = (worker ??= start());
				try {
					return await job({
						post: (call) => thread.postMessage(call),
						ask: (call) => ask(thread, call)
					});
				} finally {
					idle = setTimeout(() => void close(), idleMs).unref();
				}
			});
			last = running.catch(() => {});
			return running;
		},
		close
	};
}

/** One answer, or the reason why there is none: the thread may die of a lack of memory. */
function ask(thread: Worker, call: WorkerCall): Promise<WorkerAnswer> {
	return new Promise((resolve, reject) => {
		const settle = (finish: () => void) => {
			thread.off('message', onMessage).off('error', onError).off('exit', onExit).unref();
			finish();
		};
		const onMessage = (reply: WorkerAnswer) => settle(() => resolve(reply));
		const onError = (error: Error) => settle(() => reject(error));
		const onExit = () => settle(() => reject(new Error('The policy worker ended before it answered.')));
		thread.on('message', onMessage).on('error', onError).on('exit', onExit).ref();
		thread.postMessage(call);
	});
}
