/** One number beside what it may be at most, or at least. A budget of null is a number to compare others with. */
export interface Measurement {
	name: string;
	budget: number | null;
	measured: number;
	unit: string;
	atLeast?: boolean;
}

const runs = 60;

/** Milliseconds below which 95 of 100 runs, one after the other, were done. */
export async function p95(work: (run: number) => Promise<unknown>): Promise<number> {
	const times: number[] = [];
	for (let run = 0; run < runs; run += 1) {
		const started = performance.now();
		await work(run);
		times.push(performance.now() - started);
	}
	return times.sort((a, b) => a - b)[Math.floor(runs * 0.95)] ?? 0;
}
