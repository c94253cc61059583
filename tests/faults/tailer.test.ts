import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, chmodSync, copyFileSync, mkdirSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { feedbackTaker } from '../../src/lib/server/feedback/store.ts';
import { createLogTail, getLogState } from '../../src/lib/server/mail-log/service.ts';
import { update } from '../../src/lib/server/settings/service.ts';
import { openTestApp, temporaryDirectory } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';

const runs = Number(process.env.TAILER_RUNS ?? 60);
const child = join(import.meta.dirname, 'tailer-child.ts');
let made = 0;

/** Frames of some records each, so that a cut at any byte leaves whole records before it. */
function newSegment(frames: number): { bytes: Buffer; starts: number[]; names: string[][] } {
	const parts: Buffer[] = [];
	const names: string[][] = [];
	for (let frame = 0; frame < frames; frame += 1) {
		const these = Array.from({ length: 40 }, () => `r${++made}@example.org`);
		const lines = these.map((recipient) =>
			JSON.stringify({ type: 'Bounce', id: `id${made}`, sender: 'b@example.com', recipient, timestamp: 1_760_000_000 })
		);
		const noise = JSON.stringify({ type: 'Reception', id: `id${made}` });
		parts.push(zstdCompressSync(lines.map((line) => `${noise}\n${line}\n`).join('')));
		names.push(these);
	}
	const starts = parts.map((_, at) => parts.slice(0, at).reduce((sum, part) => sum + part.length, 0));
	return { bytes: Buffer.concat(parts), starts, names };
}

/** Starts a reader, changes the log under it once it reads, and kills it. */
async function killReader(app: TestApp, afterMs: number, change: () => Promise<void>): Promise<void> {
	const { dataDir, kumomtaRoot } = app.env;
	const env = { PATH: process.env.PATH, DATA_DIR: dataDir, KUMOMTA_ROOT: kumomtaRoot };
	const reader = spawn(process.execPath, [child], { env, stdio: ['ignore', 'pipe', 'inherit'] });
	const ended = once(reader, 'exit');
	await Promise.race([once(reader.stdout, 'data'), ended]);
	await change();
	await pause(afterMs);
	reader.kill('SIGKILL');
	expect((await ended)[1]).toBe('SIGKILL');
}

it(`a reader that is killed ${runs} times counts every record once`, { timeout: 3_600_000 }, async () => {
	const app = await openTestApp({ clock: Date.now });
	const directory = join(temporaryDirectory(), 'logs');
	mkdirSync(directory);
	await update(app, { logs: { directory, maxSegmentSeconds: 10, retentionDays: 30 } });
	const certain: string[] = [];
	const possible = new Set<string>();
	for (let run = 1; run <= runs; run += 1) {
		const path = join(directory, `20260101-${String(run).padStart(6, '0')}`);
		const { bytes, starts, names } = newSegment(1 + (run % 5));
		const half = (run * 7919) % bytes.length;
		writeFileSync(path, bytes.subarray(0, half));
		const cut = starts.at(-1) ?? 0;
		const isCut = run % 6 === 0 && half >= cut;
		await killReader(app, (run * 13) % 50, async () => {
			await pause((run * 7) % 30);
			if (isCut) truncateSync(path, cut);
			else appendFileSync(path, bytes.subarray(half));
			chmodSync(path, 0o440);
			if (run % 7 === 0) renameSync(path, `${path}.moved`);
			else if (run % 11 === 0) copyFileSync(path, `${path}.copy`);
		});
		certain.push(...(isCut ? names.slice(0, -1) : names).flat());
		for (const each of names.flat()) possible.add(each);
		if (run % 50 === 0) console.log(`tailer: killed ${run} times`);
	}
	const tail = createLogTail(app, feedbackTaker(app));
	do await tail.turn();
	while ((await getLogState(app.db)).state !== 'reading');
	tail.close();
	const read = async (sql: string) => (await app.database.client.execute(sql)).rows.map((row) => Object.values(row)[0]);
	const counted = (await read('SELECT recipient FROM feedback_events')) as string[];
	expect(counted.length).toBe(new Set(counted).size);
	expect(counted.filter((each) => !possible.has(each))).toEqual([]);
	const there = new Set(counted);
	expect(certain.filter((each) => !there.has(each))).toEqual([]);
	expect(await read('SELECT sum(count) FROM feedback_counts')).toEqual([counted.length]);
	console.log(`tailer: ${runs} kills, ${counted.length} records, each counted once`);
});
