import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createLog } from './log.ts';
import { startJobs } from './schedule.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const silent = createLog('error', () => {});

it('starts a run only after the last one ended', async () => {
	let running = 0;
	let most = 0;
	const run = async () => {
		most = Math.max(most, (running += 1));
		await new Promise((resolve) => setTimeout(resolve, 250));
		running -= 1;
	};
	const stop = startJobs([{ name: 'slow', everyMs: 100, run }], silent);
	await vi.advanceTimersByTimeAsync(2000);
	expect(most).toBe(1);
	await Promise.all([stop(), vi.advanceTimersByTimeAsync(500)]);
});

it('takes its next turn after a failure, and says which job failed', async () => {
	const lines: string[] = [];
	let runs = 0;
	const run = async () => {
		runs += 1;
		throw new Error('no');
	};
	const stop = startJobs(
		[{ name: 'broken', everyMs: 100, run }],
		createLog('error', (line) => lines.push(line))
	);
	await vi.advanceTimersByTimeAsync(350);
	await stop();
	expect(runs).toBe(3);
	expect(lines[0]).toContain('"job":"broken"');
});

it('runs what must run at the start at once, and waits for it when stopped', async () => {
	let ended = false;
	const run = async () => {
		await new Promise((resolve) => setTimeout(resolve, 50));
		ended = true;
	};
	const stop = startJobs([{ name: 'recover', everyMs: 60_000, atStart: true, run }], silent);
	await Promise.all([stop(), vi.advanceTimersByTimeAsync(60)]);
	expect(ended).toBe(true);
	await vi.advanceTimersByTimeAsync(120_000);
});
