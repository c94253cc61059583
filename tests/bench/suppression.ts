import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openApp } from '../../src/lib/server/app.ts';
import type { App } from '../../src/lib/server/app.ts';
import { readEnv } from '../../src/lib/server/core/env.ts';
import { createLog } from '../../src/lib/server/core/log.ts';
import { keepFiles } from '../../src/lib/server/suppression/keep-files.ts';
import { listSuppressions } from '../../src/lib/server/suppression/list.ts';
import { suppressionRoots } from '../../src/lib/server/suppression/write-file.ts';
import { testHost } from '../support/policy-app.ts';
import { p95 } from './measurement.ts';
import type { Measurement } from './measurement.ts';

const addresses = 1_000_000;

/** A list of a million: how long its files take and what they hold up, what a look-up costs, what a page costs. */
export async function benchSuppression(): Promise<Measurement[]> {
	const dataDir = mkdtempSync(join(tmpdir(), 'kumomta-ui-bench-'));
	let now = Date.UTC(2026, 0, 5, 12);
	const env = readEnv({ DATA_DIR: dataDir, KUMOMTA_ROOT: join(dataDir, 'kumomta') });
	const app = await openApp(env, { clock: () => now, log: createLog('error'), host: testHost() });
	try {
		const roots = suppressionRoots(env.kumomtaRoot);
		mkdirSync(roots.policy, { recursive: true });
		const domainId = await fill(app);
		const base = await measured(() => keepFiles(app));
		await app.db.run("UPDATE suppressions SET reason = 'manual' WHERE seq % 1000 = 0");
		now += 61_000;
		const delta = await measured(() => keepFiles(app));
		await app.db.run("UPDATE suppressions SET reason = 'manual' WHERE seq % 21 = 1");
		now += 61_000;
		const large = await measured(() => keepFiles(app));
		return [
			...measurements('base of 1,000,000', base),
			{ name: 'base, size', budget: null, measured: statSync(roots.base).size / 1_048_576, unit: 'MiB' },
			...measurements('delta of 1,000 changes', delta),
			...measurements('delta of 48,000 changes', large),
			...lookUps(roots.base),
			...(await pages(app, domainId))
		];
	} finally {
		app.close();
		rmSync(dataDir, { recursive: true, force: true });
	}
}

/** In no order of addresses, as bounces come. */
async function fill({ database: { client } }: App): Promise<string> {
	const domainId = 'benchdomain22222';
	await client.execute({
		sql: `INSERT INTO domains (id, name, bounce_host, accept_any_return_path, dmarc, created_at) VALUES (?, 'example.com', 'bounce.example.com', 1, '{}', 1)`,
		args: [domainId]
	});
	for (let from = 0; from < addresses; from += 50_000)
		await client.execute({
			sql: `WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i < ?)
				INSERT INTO suppressions (address, scope, reason, created_at, count, note, added_by)
				SELECT printf('user%07d@host%02d.example.org', i * 7919 % 1000003, i % 50), CASE WHEN i % 3 = 0 THEN ? ELSE '' END,
					CASE i % 10 WHEN 0 THEN 'complaint' WHEN 1 THEN 'soft-bounce' ELSE 'hard-bounce' END, i, 1, '', 'bench' FROM n`,
			args: [from, from + 49_999, domainId]
		});
	return domainId;
}

interface Cost {
	ms: number;
	holdMs: number;
	memoryMb: number;
}

/** How long, the longest hold of the event loop, and by how much the process grew meanwhile. */
async function measured(work: () => Promise<void>): Promise<Cost> {
	const loop = monitorEventLoopDelay({ resolution: 1 });
	const before = process.memoryUsage.rss();
	let most = before;
	const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 20);
	loop.enable();
	const started = performance.now();
	await work();
	const ms = performance.now() - started;
	loop.disable();
	clearInterval(watch);
	return { ms, holdMs: loop.max / 1e6, memoryMb: (most - before) / 1_048_576 };
}

function measurements(name: string, { ms, holdMs, memoryMb }: Cost): Measurement[] {
	return [
		{ name, budget: null, measured: ms, unit: 'ms' },
		{ name: `${name}, longest hold of the event loop`, budget: 50, measured: holdMs, unit: 'ms' },
		{ name: `${name}, memory`, budget: 200, measured: memoryMb, unit: 'MiB' }
	];
}

/** With node:sqlite, in one open connection as the program has it; both scopes asked. */
function lookUps(path: string): Measurement[] {
	const db = new DatabaseSync(path, { readOnly: true });
	const find = db.prepare('SELECT reason FROM suppressed WHERE address = ? AND scope = ?');
	const time = (addressOf: (run: number) => string) => {
		const times = Array.from({ length: 20_000 }, (_, run) => {
			const address = addressOf(run);
			const started = performance.now();
			find.get(address, 'example.com');
			find.get(address, '');
			return (performance.now() - started) * 1000;
		}).sort((a, b) => a - b);
		return { p50: times[10_000] ?? 0, p99: times[19_800] ?? 0 };
	};
	const number = (run: number) => (run * 104_729) % addresses;
	const address = (i: number) =>
		`user${String((i * 7919) % 1_000_003).padStart(7, '0')}@host${String(i % 50).padStart(2, '0')}.example.org`;
	const hit = time((run) => address(number(run)));
	const miss = time((run) => `nobody${number(run)}@example.net`);
	db.close();
	return [
		{ name: 'look-up of a listed address, p50', budget: 100, measured: hit.p50, unit: 'µs' },
		{ name: 'look-up of a listed address, p99', budget: 1000, measured: hit.p99, unit: 'µs' },
		{ name: 'look-up of another address, p50', budget: 100, measured: miss.p50, unit: 'µs' },
		{ name: 'look-up of another address, p99', budget: 1000, measured: miss.p99, unit: 'µs' }
	];
}

async function pages({ db }: App, domainId: string): Promise<Measurement[]> {
	const limit = 50;
	let deep: string | undefined;
	for (let page = 0; page < 100; page += 1)
		deep = (await listSuppressions(db, { limit: 200, ...(deep && { cursor: deep }) })).nextCursor ?? deep;
	const asked: [string, (run: number) => Parameters<typeof listSuppressions>[1]][] = [
		['first page', () => ({ limit })],
		['deep page', () => ({ limit, cursor: deep })],
		['newest first', () => ({ limit, sort: { by: 'createdAt', dir: 'desc' } })],
		['beginning of an address', (run) => ({ limit, search: `user00${run}` })],
		['one host', (run) => ({ limit, search: `@host${String(run % 50).padStart(2, '0')}.example.org` })],
		['list of a domain', () => ({ limit, domainId })],
		['one reason', () => ({ limit, reason: 'soft-bounce' })],
		['list, reason and beginning', () => ({ limit, domainId, reason: 'complaint', search: 'user0' })]
	];
	const results: Measurement[] = [];
	for (const [name, input] of asked) {
		const ms = await p95((run) => listSuppressions(db, input(run)));
		results.push({ name: `page at 1,000,000, ${name}`, budget: 10, measured: ms, unit: 'ms' });
	}
	return results;
}
