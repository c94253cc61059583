import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createZstdCompress } from 'node:zlib';
import { openApp } from '../../src/lib/server/app.ts';
import { readEnv } from '../../src/lib/server/core/env.ts';
import { createLog } from '../../src/lib/server/core/log.ts';
import { listFeedback } from '../../src/lib/server/feedback/list.ts';
import { readReport } from '../../src/lib/server/feedback/report/read-report.ts';
import { feedbackTaker, removeOldFeedback } from '../../src/lib/server/feedback/service.ts';
import { createLogTail, getLogState } from '../../src/lib/server/mail-log/service.ts';
import { update } from '../../src/lib/server/settings/service.ts';
import type { Measurement } from './measurement.ts';

const lines = 1_000_000;
/** One in so many deliveries fails. */
const everyBounce = 20;
const heldMs = 50;

function lineAt(number: number): string {
	const isBounce = number % everyBounce === 0;
	const recipient = `person${number}@d${number % 997}.example.org`;
	return `${JSON.stringify({
		type: isBounce ? 'Bounce' : 'Delivery',
		id: number.toString(16).padStart(32, '0'),
		sender: `bounces+${recipient.replace('@', '=')}@bounce.example.com`,
		recipient,
		queue: `news.example.com@d${number % 997}.example.org`,
		site: 'out1-abc123->(mx1|mx2).example.org@smtp_client',
		size: 20_480,
		response: {
			code: isBounce ? 550 : 250,
			enhanced_code: { class: isBounce ? 5 : 2, subject: 1, detail: 1 },
			content: isBounce ? `<${recipient}>: Recipient address rejected: user unknown` : 'Ok: queued as 4XyZ12abcd',
			command: null
		},
		peer_address: { name: 'mx1.example.org.', addr: '192.0.2.1' },
		timestamp: 1_760_000_000 + Math.floor(number / 1000),
		bounce_classification: isBounce ? 'InvalidRecipient' : 'Uncategorized',
		meta: { tenant: 'news.example.com' }
	})}\n`;
}

/** One zstd stream, as KumoMTA writes a segment. */
async function writeSegment(path: string): Promise<void> {
	const compress = createZstdCompress();
	const parts: Buffer[] = [];
	compress.on('data', (part: Buffer) => parts.push(part));
	for (let number = 1; number <= lines; number += 1000) {
		const text = Array.from({ length: 1000 }, (_, index) => lineAt(number + index)).join('');
		if (!compress.write(text)) await new Promise((resolve) => compress.once('drain', resolve));
	}
	await new Promise<void>((resolve) => {
		compress.once('end', () => resolve());
		compress.end();
	});
	writeFileSync(path, Buffer.concat(parts), { mode: 0o440 });
}

/**
 * The longest that the event loop was held, by the clock and by this thread's own work alone: on a machine that does other
 * things too, the clock counts what they took.
 */
async function held(work: () => Promise<unknown>): Promise<{ clockMs: number; workMs: number; ms: number }> {
	const delay = monitorEventLoopDelay({ resolution: 1 });
	const started = performance.now();
	let isDone = false;
	let workMs = 0;
	let before = process.threadCpuUsage();
	const look = () => {
		const now = process.threadCpuUsage();
		workMs = Math.max(workMs, (now.user - before.user + now.system - before.system) / 1000);
		before = now;
		if (!isDone) setImmediate(look);
	};
	setImmediate(look);
	delay.enable();
	await work();
	delay.disable();
	isDone = true;
	return { clockMs: delay.max / 1e6, workMs, ms: performance.now() - started };
}

/** A segment of a million lines, of which every twentieth is a bounce: read, listed and cleaned up. */
export async function benchMailLog(): Promise<Measurement[]> {
	const dataDir = mkdtempSync(join(tmpdir(), 'kumomta-ui-bench-'));
	const directory = join(dataDir, 'logs');
	mkdirSync(directory);
	await writeSegment(join(directory, '20260101-000000'));
	const env = readEnv({ DATA_DIR: join(dataDir, 'data'), KUMOMTA_ROOT: join(dataDir, 'kumomta') });
	const app = await openApp(env, { log: createLog('error') });
	await update(app, { logs: { directory, maxSegmentSeconds: 10, retentionDays: 30 } });
	const tail = createLogTail(app, feedbackTaker(app));
	await tail.turn();
	let turns = 1;
	const reading = await held(async () => {
		do await tail.turn();
		while (((turns += 1), (await getLogState(app.db)).state !== 'reading'));
	});
	tail.close();
	const list = { limit: 50 };
	const rare = await held(() => listFeedback(app, { ...list, search: 'person999980@' }));
	const cleaning = await held(() => removeOldFeedback(app, { events: 1000, eventMs: 1e15, countMs: 1, batch: 1000 }));
	app.close();
	rmSync(dataDir, { recursive: true, force: true });
	const paste = Buffer.from(`From: MAILER-DAEMON@example.org\n\n${'<ann@example.org>: 550 5.1.1 no\n'.repeat(8000)}`);
	readReport(paste);
	const started = performance.now();
	readReport(paste);
	const pastedMs = performance.now() - started;
	return [
		{ name: 'log of 1 M lines, event loop held', budget: heldMs, measured: reading.workMs, unit: 'ms' },
		{ name: 'log of 1 M lines, longest delay by the clock', budget: null, measured: reading.clockMs, unit: 'ms' },
		{ name: 'log, lines a second', budget: null, measured: lines / (reading.ms / 1000), unit: 'lines/s' },
		{ name: 'log, turns of ten seconds for 1 M lines', budget: null, measured: turns, unit: 'turns' },
		{ name: 'feedback, rare search in 50,000, loop held', budget: heldMs, measured: rare.workMs, unit: 'ms' },
		{ name: 'feedback, rare search in 50,000', budget: null, measured: rare.ms, unit: 'ms' },
		{ name: 'feedback, clean-up of 49,000, loop held', budget: heldMs, measured: cleaning.workMs, unit: 'ms' },
		{ name: 'feedback, a pasted report of 250 KB', budget: heldMs, measured: pastedMs, unit: 'ms' }
	];
}
