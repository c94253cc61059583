import type { Log } from './log.ts';

/** A timed job: it starts the next run only after the last one ended, and a failure waits for the next turn. */
export interface Job {
	name: string;
	everyMs: number;
	/** Runs once at the start too, before its first turn. */
	atStart?: true;
	run: () => Promise<void>;
}

/** Starts the jobs and answers how to stop them. Timers never keep the process alive. */
export function startJobs(jobs: Job[], log: Log): () => Promise<void> {
	let stopped = false;
	const running = new Set<Promise<void>>();
	const timers = new Map<string, NodeJS.Timeout>();

	async function turn(job: Job): Promise<void> {
		try {
			await job.run();
		} catch (error) {
			log.error('job failed', { job: job.name, error });
		}
		if (!stopped) plan(job);
	}

	function begin(job: Job): void {
		const work = turn(job).finally(() => running.delete(work));
		running.add(work);
	}

	function plan(job: Job): void {
		const timer = setTimeout(() => begin(job), job.everyMs);
		timer.unref();
		timers.set(job.name, timer);
	}

	for (const job of jobs) (job.atStart ? begin : plan)(job);
	return async () => {
		stopped = true;
		for (const timer of timers.values()) clearTimeout(timer);
		await Promise.all(running);
	};
}
