import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { expect } from 'vitest';
import { compilePolicy } from '../../src/lib/server/policy/compile.ts';
import { readDirectory } from '../../src/lib/server/policy/directory.ts';
import { readLive } from '../../src/lib/server/policy/live.ts';
import { compileRequest } from '../../src/lib/server/policy/pending.ts';
import { policyRoots } from '../../src/lib/server/policy/roots.ts';
import { readMarks } from '../../src/lib/server/policy/snapshot.ts';
import type { DirectoryRow } from '../../src/lib/server/policy/rows.ts';
import { kumoSourceName } from '../../src/lib/server/sources/kumo-name.ts';
import { temporaryDirectory } from './app.ts';
import type { TestApp } from './app.ts';
import type { Parsed } from './contract.ts';

type Row = Record<string, Parsed>;
let number = 0;

/** What was rendered last for each app: unchanged data has no other revision. */
const seen = new WeakMap<TestApp, { marks: string; hash: string }>();

/** Renders what an apply would write now, and fails unless it says exactly what the database says. */
export async function expectFaithfulPolicy(app: TestApp): Promise<void> {
	const marks = await readMarks(app.database.client);
	if (seen.get(app)?.marks === marks) return;
	const live = await readLive(app.host, policyRoots(app.env.kumomtaRoot));
	const compiled = await compilePolicy(app, await compileRequest(app, live));
	try {
		const { hash } = compiled;
		if (seen.get(app)?.hash === hash) return;
		seen.set(app, { marks, hash });
		const revision = `${++number}-${hash.slice(0, 12)}`;
		const directory = join(temporaryDirectory(), revision);
		mkdirSync(directory);
		await compiled.writeTo(directory, { revision, linkDirectoryFrom: null });
		await expectFaithfulFiles(app, directory, revision);
	} finally {
		compiled.release();
	}
}

export async function expectFaithfulFiles(app: TestApp, directory: string, revision: string): Promise<void> {
	const text = readFileSync(join(directory, 'node.toml'), 'utf8');
	expect(text).not.toMatch(/\/\.\.(?:[/"']|$)/m);
	const { probe_key: probes, ...node } = parse(text);
	expect(node).toEqual({ ...(await nodeOf(app)), revision });
	for (const { domain, ...probe } of (probes ?? []) as Row[]) {
		expect(domain).toMatch(keyShape.domain!);
		expect(probe).toEqual({ selector: expect.stringMatching(/^[a-z0-9-]+$/) });
	}
	await expectFaithfulRows(app, [...readDirectory(join(directory, 'directory.sqlite'))]);
}

const rowsOf = async (app: TestApp, sql: string) => (await app.database.client.execute(sql)).rows as unknown as Row[];

/** Every key that node.toml may have, and the value that the database says; anything more is somebody's text. */
async function nodeOf(app: TestApp): Promise<Row> {
	const [settings = {}] = await rowsOf(app, 'SELECT * FROM settings');
	const json = (column: string) => JSON.parse(settings[column] ?? 'null');
	const { policy, dkim, tls, root } = policyRoots(app.env.kumomtaRoot);
	const [pool] = await rowsOf(app, 'SELECT name FROM pools WHERE id = (SELECT default_pool_id FROM settings)');
	const { logs, spool } = { logs: json('logs'), spool: json('spool') };
	const hex = expect.stringMatching(/^[0-9a-f]+$/);
	return {
		format: 1,
		hostname: settings.hostname ?? '',
		live_init: `${policy}/init.lua`,
		monitor_globs: json('monitor_globs'),
		...(pool !== undefined && { default_pool: pool.name }),
		...(settings.campaign_header !== null && { campaign_header: settings.campaign_header }),
		mail_root: app.env.mailRoot,
		suppression_root: `${root}/etc/policy/suppression`,
		dkim_root: dkim,
		share_root: `${root}/share`,
		relay_hosts: json('relay_hosts'),
		caches: { senders: 50_000, domains: 20_000, ttl: '5 minutes', dkim: 1024 },
		listener: json('listeners') ?? [
			{ address: '0.0.0.0', port: 25, purpose: 'inbound' },
			{ address: '0.0.0.0', port: 587, purpose: 'submission' }
		],
		...(settings.tls_name !== null && {
			tls: {
				certificate: `${tls}/${settings.tls_name}/fullchain.pem`,
				private_key: `${tls}/${settings.tls_name}/privkey.pem`
			}
		}),
		spool: { directory: spool.directory, kind: spool.kind, min_free: `${spool.minFreePercent}%` },
		logs: { directory: logs.directory, max_segment_duration: `${logs.maxSegmentSeconds} seconds` },
		http: {
			listen: '127.0.0.1:8000',
			mode: settings.http_api,
			...(settings.http_api === 'credential' && { credential: { salt: hex, hash: hex } })
		},
		...(await sourcesOf(app))
	};
}

async function sourcesOf(app: TestApp): Promise<Row> {
	const sources = await rowsOf(app, 'SELECT name, address, ehlo_domain AS ehloDomain FROM sources');
	const entries = await rowsOf(
		app,
		`SELECT p.name AS pool, s.name, s.address, s.ehlo_domain AS ehloDomain, ps.weight
		FROM pools p LEFT JOIN pool_sources ps ON ps.pool_id = p.id LEFT JOIN sources s ON s.id = ps.source_id`
	);
	const pool: Row = {};
	for (const { name } of await rowsOf(app, 'SELECT name FROM removed_pools')) pool[name] = { entries: [] };
	for (const { pool: name } of entries) pool[name] = { entries: expect.any(Array) };
	return {
		source: Object.fromEntries(
			sources.map((row) => [
				kumoSourceName(row as { name: string; address: string; ehloDomain: string }),
				{ source_address: row.address, ehlo_domain: row.ehloDomain }
			])
		),
		pool
	};
}

const valueKeys: Record<string, string[]> = {
	domain: [
		'id',
		'name',
		'bounceHost',
		'anyReturnPath',
		'reports',
		'suppression',
		'complaint',
		'keys',
		'domainSender',
		'ready',
		'reason'
	],
	bounce_host: ['domain', 'account'],
	sender: ['id', 'domain', 'tenant', 'pool', 'from', 'status', 'rate', 'retry', 'maxAge', 'salt', 'hash', 'iterations'],
	tenant: ['pool', 'sender', 'rate', 'retry', 'maxAge'],
	mailbox: ['id', 'quota', 'hash'],
	dkim_key: ['id', 'algorithm', 'hash']
};

/** Alphabets of what becomes a look-up key or part of a path. */
const keyShape: Record<string, RegExp> = {
	domain: /^[a-z0-9.-]+$/,
	bounce_host: /^[a-z0-9.-]+$/,
	sender: /^[a-z0-9!#$%&'*+/=?^_`{|}~.-]+@[a-z0-9.-]+$/,
	tenant: /^[a-z0-9][a-z0-9._-]{0,79}$/,
	mailbox: /^[a-z0-9!#$%&'*+/=?^_`{|}~.-]+@[a-z0-9.-]+$/,
	dkim_key: /^(?!\.)[a-z0-9.-]+\/[a-z0-9-]+$/
};

async function expectFaithfulRows(app: TestApp, rows: DirectoryRow[]): Promise<void> {
	const stored = await storedRows(app);
	for (const [table, key, text] of rows) {
		const value = JSON.parse(text) as Row;
		expect(JSON.stringify(value)).toBe(text);
		expect(text).toMatch(/^[\x20-\x7e]*$/);
		expect(key).toMatch(keyShape[table]!);
		expect(key).not.toContain('..');
		expect(Object.keys(value).filter((name) => !valueKeys[table]!.includes(name))).toEqual([]);
		expect({ table, key, ...value }).toMatchObject({ table, key, ...stored.get(`${table} ${key}`) });
		expect(stored.has(`${table} ${key}`)).toBe(true);
	}
}

/** What the rows must say, by table and key. */
async function storedRows(app: TestApp): Promise<Map<string, Row>> {
	const stored = new Map<string, Row>();
	for (const { id, name, bounce_host, complaint_address } of await rowsOf(app, 'SELECT * FROM domains')) {
		const complaint = complaint_address === null ? {} : { complaint: complaint_address };
		stored.set(`domain ${name}`, { id, name, bounceHost: bounce_host, ...complaint });
		stored.set(`bounce_host ${bounce_host}`, { domain: name });
	}
	const senders = await rowsOf(
		app,
		`SELECT s.*, d.name AS domain, p.name AS pool FROM senders s JOIN domains d ON d.id = s.domain_id JOIN pools p ON p.id = s.pool_id`
	);
	for (const { id, address, tenant, domain, pool } of senders) {
		stored.set(`sender ${address}`, { id, domain, tenant, pool });
		stored.set(`tenant ${tenant}`, { pool, sender: address });
	}
	for (const { tenant, pool_name } of await rowsOf(app, 'SELECT * FROM removed_senders'))
		stored.set(`tenant ${tenant}`, { pool: pool_name });
	for (const { id, address } of await rowsOf(app, 'SELECT * FROM bounce_accounts'))
		stored.set(`mailbox ${address}`, { id });
	const keys = await rowsOf(app, 'SELECT k.*, d.name AS domain FROM dkim_keys k JOIN domains d ON d.id = k.domain_id');
	for (const { id, domain, selector } of keys) stored.set(`dkim_key ${domain}/${selector}`, { id });
	return stored;
}
