import { Worker } from 'node:worker_threads';
import { assetPath } from '../core/assets.ts';
import type { WorkerAnswer, WorkerCall } from './worker.ts';

/** The one worker of a process: jobs stand in a queue, and the thread ends when nobody needed it for a while. */
export interface WorkerThread {
	/** Runs a job that may ask; no other job's calls come between. */
	run: <T>(job: (ask: Ask) => Promise<T>) => Promise<T>;
	close: () => Promise<void>;
}

/** Calls are answered in order. */
export type Ask = (call: WorkerCall) => Promise<WorkerAnswer>;

interface Waiting {
	resolve: (answer: WorkerAnswer) => void;
	reject: (error: Error) => void;
}

const idleMs = 30_000;

/**
 * Starts nothing until the first job.
 * @param memoryMb the heap at which the worker is stopped and its job fails.
 */
export function createWorkerThread(memoryMb = 512): WorkerThread {
	let open: { ask: Ask; terminate: () => Promise<unknown> } | undefined;
	let last: Promise<unknown> = Promise.resolve();
	let idle: NodeJS.Timeout | undefined;

	function start() {
		const started = startWorker(memoryMb, () => {
			if (open === started) open = undefined;
		});
		return started;
	}

	async function close(): Promise<void> {
		clearTimeout(idle);
		const ending = open;
		open = undefined;
		await ending?.terminate();
	}

	return {
		run(job) {
			const running = last.then(async () => {
				clearTimeout(idle);
				try {
					return await job((open ??= start()).ask);
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

/** Keeps the process alive only while an answer is awaited; when the thread dies, every open question fails. */
function startWorker(memoryMb: number, onEnd: () => void) {
	const worker = new Worker(assetPath('policy-worker'), {
		resourceLimits: { maxOldGenerationSizeMb: memoryMb, maxYoungGenerationSizeMb: 16 }
	});
	const waiting: Waiting[] = [];
	const fail = (error: Error) => {
		onEnd();
		for (const { reject } of waiting.splice(0)) reject(error);
	};
	worker.on('message', (answer: WorkerAnswer) => {
		waiting.shift()?.resolve(answer);
		if (waiting.length === 0) worker.unref();
	});
	worker.on('error', fail);
	worker.on('exit', () => fail(new Error('The policy worker ended before it answered.')));
	worker.unref();
	const ask: Ask = (call) =>
		new Promise((resolve, reject) => {
			waiting.push({ resolve, reject });
			worker.ref();
			worker.postMessage(call);
		});
	return { ask, terminate: () => worker.terminate() };
}
