import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { countMailbox, tidyMailbox } from '../../src/lib/server/bounces/tidy.ts';
import { createHost } from '../../src/lib/server/host/host.ts';
import { maildirOf } from '../../src/lib/server/host/mailbox.ts';
import type { Measurement } from './measurement.ts';

const files = 100_000;
const id = 'benchbenchbench2';

/** One mailbox of 100,000 messages: counted, then brought below its quota, while others wait for their turn. */
export async function benchMailboxes(): Promise<Measurement[]> {
	const mailRoot = mkdtempSync(join(tmpdir(), 'kumomta-ui-bench-mail-'));
	try {
		fill(maildirOf(mailRoot, id));
		const before = process.memoryUsage().rss;
		const counted = await watched(() => countMailbox({ mailRoot, id }));
		const rule = { keptSince: 0, quotaBytes: files * 1024 - 1 };
		const tidied = await watched(() => tidyMailbox(createHost(), { mailRoot, id }, rule));
		if (counted.answer.messages !== files || tidied.answer.overQuota.messages !== 5000)
			throw new Error('The mailbox was not counted or tidied as it should be.');
		const grown = (process.memoryUsage().rss - before) / 1_048_576;
		return [
			{ name: '100,000 messages counted', budget: 5000, measured: counted.ms, unit: 'ms' },
			{ name: 'longest hold of the event loop meanwhile', budget: 50, measured: counted.heldMs, unit: 'ms' },
			{ name: '5,000 of them removed for the quota', budget: null, measured: tidied.ms, unit: 'ms' },
			{ name: 'longest hold of the event loop meanwhile, removing', budget: 50, measured: tidied.heldMs, unit: 'ms' },
			{ name: 'memory both took', budget: 100, measured: grown, unit: 'MB' }
		];
	} finally {
		rmSync(mailRoot, { recursive: true, force: true });
	}
}

function fill(maildir: string): void {
	for (const part of ['cur', 'new', 'tmp']) mkdirSync(join(maildir, part), { recursive: true });
	for (let number = 0; number < files; number += 1)
		writeFileSync(join(maildir, 'new', `${1_700_000_000 + number}.M${number}P1.bench,S=1024`), '');
}

async function watched<T>(work: () => Promise<T>): Promise<{ answer: T; ms: number; heldMs: number }> {
	const delay = monitorEventLoopDelay({ resolution: 1 });
	// What was done before without a pause is not this work's.
	await sleep(20);
	delay.enable();
	await sleep(5);
	const started = performance.now();
	const answer = await work();
	const ms = performance.now() - started;
	await sleep(5);
	delay.disable();
	return { answer, ms, heldMs: delay.max / 1e6 };
}
