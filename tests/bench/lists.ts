import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../../src/lib/server/core/database.ts';
import { createLog } from '../../src/lib/server/core/log.ts';
import { migrate } from '../../src/lib/server/core/migrations.ts';
import { listDomains } from '../../src/lib/server/domains/service.ts';
import { listSenders } from '../../src/lib/server/senders/service.ts';
import { estateInput, fillDatabase } from '../support/estate.ts';
import { p95 } from './measurement.ts';
import type { Measurement } from './measurement.ts';

const budgetMs = 10;

/** Pages of senders and domains in the service at 10,000 domains and 100,000 senders, p95. */
export async function benchLists(): Promise<Measurement[]> {
	const dataDir = mkdtempSync(join(tmpdir(), 'kumomta-ui-bench-'));
	const url = `file:${join(dataDir, 'panel.db')}`;
	const database = await openDatabase(url);
	await migrate(database, { url, dataDir, log: createLog('error') });
	await fillDatabase(database.client, estateInput({ domains: 10_000, senders: 100_000 }));
	const { db } = database;

	let deep: string | undefined;
	for (let page = 0; page < 400; page += 1)
		deep = (await listSenders(db, { limit: 200, ...(deep && { cursor: deep }) })).nextCursor ?? deep;
	const measured: [string, number][] = [
		['senders, first page', await p95(() => listSenders(db, { limit: 50 }))],
		['senders, deep page', await p95(() => listSenders(db, { limit: 50, cursor: deep }))],
		['senders, newest first', await p95(() => listSenders(db, { limit: 50, sort: { by: 'createdAt', dir: 'desc' } }))],
		['senders, rare search', await p95((run) => listSenders(db, { limit: 50, search: `d0${1000 + run}.ex` }))],
		['senders, common search', await p95(() => listSenders(db, { limit: 50, search: 'example' }))],
		['senders, prefix of one letter', await p95(() => listSenders(db, { limit: 50, search: 's' }))],
		['domains, first page', await p95(() => listDomains(db, { limit: 50 }))],
		['domains, search', await p95((run) => listDomains(db, { limit: 50, search: `00${run % 90}` }))]
	];
	database.close();
	rmSync(dataDir, { recursive: true, force: true });
	return measured.map(([name, ms]) => ({ name, budget: budgetMs, measured: ms, unit: 'ms' }));
}
