import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { openApp } from '../../src/lib/server/app.ts';
import type { App } from '../../src/lib/server/app.ts';
import { readEnv } from '../../src/lib/server/core/env.ts';
import { createLog } from '../../src/lib/server/core/log.ts';
import { closeCompiler, compilePolicy, groupPolicies, pendingPolicy } from '../../src/lib/server/policy/compile.ts';
import type { Compiled, CompileRequest } from '../../src/lib/server/policy/compile.ts';
import type { Measurement } from './measurement.ts';

const size = { domains: 10_000, senders: 100_000 };

/** The policy pipeline at full size, on a database and a directory of its own: a minute, most of it spent on filling. */
export async function benchPolicy(): Promise<Measurement[]> {
	const dataDir = mkdtempSync(join(tmpdir(), 'kumomta-ui-bench-'));
	fillElsewhere(dataDir);
	const env = readEnv({ DATA_DIR: dataDir, KUMOMTA_ROOT: join(dataDir, 'kumomta') });
	const app = await openApp(env, { log: createLog('error') });
	try {
		return await measure(app, dataDir);
	} finally {
		await closeCompiler(app);
		app.close();
		rmSync(dataDir, { recursive: true, force: true });
	}
}

/** In a process of its own, so that its memory is not counted. */
function fillElsewhere(dataDir: string): void {
	const script = join(import.meta.dirname, 'fill-estate.ts');
	const { status, stderr } = spawnSync(process.execPath, [script, dataDir, `${size.domains}`, `${size.senders}`], {
		encoding: 'utf8'
	});
	if (status !== 0) throw new Error(`The estate could not be filled: ${stderr}`);
}

async function measure(app: App, dataDir: string): Promise<Measurement[]> {
	const etc = join(dataDir, 'kumomta/etc');
	const roots = {
		policy: `${etc}/policy`,
		dkim: `${etc}/dkim`,
		tls: `${etc}/tls`,
		mail: '/var/mail',
		share: '/usr/share'
	};
	const request: CompileRequest = { program: Buffer.alloc(60_000, '-'), customLua: null, roots, live: null };
	// The first start of the thread reads and compiles its modules; a server does that once.
	const first = await watch(async () => (await compilePolicy(app, request)).release());

	const live = join(dataDir, 'live');
	const watched = await watch(async () => stage(await compilePolicy(app, request), live));
	await changeSenders(app, 5000);
	const changed = await compilePolicy(app, { ...request, live });
	// The first page makes the table of differences; what follows reads it.
	const pages = await timed(() => changed.changesPage({ limit: 200 }));
	const review = await timed(() => reviewPage(app, live, changed));
	const lastPages = await watch(() => allPages(changed));
	changed.release();

	const patient = { waitMs: 60_000 };
	(await pendingPolicy(app, { ...request, live }, patient))?.release();
	const status = await timed(async () => (await pendingPolicy(app, { ...request, live }, patient))?.release());
	return [
		{ name: 'policy: render, check and stage', budget: 1500, measured: watched.ms, unit: 'ms' },
		{ name: 'policy: longest hold of the event loop', budget: 50, measured: watched.longestMs, unit: 'ms' },
		{ name: 'policy: memory on top of the process', budget: 200, measured: first.addedMb, unit: 'MB' },
		{ name: 'policy: a page of 5,000 changes', budget: 300, measured: pages, unit: 'ms' },
		{ name: 'policy: review, 5,000 changes and their groups', budget: 300, measured: review, unit: 'ms' },
		{
			name: 'policy: hold of the loop while reading all 5,000 changes',
			budget: 50,
			measured: lastPages.longestMs,
			unit: 'ms'
		},
		{ name: 'policy: status when nothing changed', budget: 25, measured: status, unit: 'ms' }
	];
}

/** What the review page asks for: counts, a page in words and the groups. */
async function reviewPage(app: App, live: string, changed: Compiled): Promise<void> {
	await changed.changesPage({ limit: 100 });
	const { total } = await groupPolicies(app, live, changed.directory, { limit: 50 });
	if (total === 0) throw new Error('The bench made no differences.');
}

async function stage(result: Compiled, directory: string): Promise<void> {
	mkdirSync(directory);
	await result.writeTo(directory, { revision: `1-${result.hash.slice(0, 12)}` });
	result.release();
}

async function allPages(result: Compiled): Promise<void> {
	let cursor: string | undefined;
	do cursor = (await result.changesPage({ cursor, limit: 200 })).nextCursor ?? undefined;
	while (cursor !== undefined);
}

async function changeSenders(app: App, count: number): Promise<void> {
	await app.database.client.execute({
		sql: "UPDATE senders SET limit_count = 7, limit_unit = 'perMinute' WHERE seq % ? = 0",
		args: [size.senders / count]
	});
}

async function timed(work: () => Promise<unknown>): Promise<number> {
	const start = performance.now();
	await work();
	return Math.round((performance.now() - start) * 10) / 10;
}

const rss = () => process.memoryUsage.rss() / 1_048_576;

/** Time, the longest that the loop was held, and the highest memory above what it was at the beginning. */
async function watch(work: () => Promise<unknown>): Promise<{ ms: number; longestMs: number; addedMb: number }> {
	const before = rss();
	let highest = before;
	const sampling = setInterval(() => (highest = Math.max(highest, rss())), 10);
	const delay = monitorEventLoopDelay({ resolution: 5 });
	delay.enable();
	const ms = await timed(work);
	delay.disable();
	clearInterval(sampling);
	return { ms, longestMs: Math.round(delay.max / 1e6), addedMb: Math.round(highest - before) };
}
