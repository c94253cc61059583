import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { pbkdf2Sync } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'smol-toml';
import { writeDirectory } from '../directory.ts';
import type { BounceHostValue, DirectoryRow, DomainValue, SenderValue, TenantValue } from '../rows.ts';

/** Small revisions on disk for checks: the shape that render writes, with a few rows. */
export interface RevisionRows {
	domain?: Record<string, Partial<DomainValue>>;
	bounce_host?: Record<string, BounceHostValue>;
	sender?: Record<string, Partial<SenderValue>>;
	tenant?: Record<string, TenantValue>;
	mailbox?: Record<string, { id: string }>;
}

export interface BuiltRevision {
	directory: string;
	/** The root under which keys lie: `<dkimRoot>/<domain>/<selector>.key`. */
	dkimRoot: string;
	/** Where the suppression files lie; nothing makes it. */
	suppressionRoot: string;
	remove: () => void;
}

/** Writes directory.sqlite with exactly these rows. */
export function buildDirectory(path: string, rows: RevisionRows): void {
	const all = Object.entries<Record<string, object>>({ ...rows }).flatMap(([table, entries]) =>
		Object.entries(entries).map(([key, value]) => [table, key, JSON.stringify(value)] as DirectoryRow)
	);
	writeDirectory(path, all);
}

/** A verifier as the panel stores it. */
export function verifierFor(password: string, iterations: 1 | 4096) {
	const salt = '00112233445566778899aabbccddeeff';
	const hash = pbkdf2Sync(password, Buffer.from(salt, 'hex'), iterations, 32, 'sha256').toString('hex');
	return { salt, hash, iterations };
}

/** @param node members of node.toml that differ from the usual ones; undefined leaves one out */
export function buildRevision({
	rows = {},
	node = {},
	custom,
	keys = []
}: {
	rows?: RevisionRows;
	node?: Record<string, unknown>;
	custom?: string;
	/** `<domain>/<selector>` */
	keys?: string[];
} = {}): BuiltRevision {
	const root = mkdtempSync(join(tmpdir(), 'policy-'));
	const directory = join(root, 'revisions', '12-0a1b2c3d4e5f');
	const dkimRoot = join(root, 'dkim');
	mkdirSync(directory, { recursive: true });
	for (const key of keys) {
		mkdirSync(join(dkimRoot, key, '..'), { recursive: true });
		writeFileSync(join(dkimRoot, `${key}.key`), 'a key');
	}
	copyFileSync(fileURLToPath(new URL('../program.lua', import.meta.url)), join(directory, 'program.lua'));
	writeFileSync(join(directory, 'node.toml'), stringify(nodeOf(root, node)));
	writeFileSync(join(directory, 'shaping.toml'), '');
	if (custom !== undefined) writeFileSync(join(directory, 'custom.lua'), custom);
	buildDirectory(join(directory, 'directory.sqlite'), rows);
	const suppressionRoot = join(root, 'suppression');
	return { directory, dkimRoot, suppressionRoot, remove: () => rmSync(root, { recursive: true, force: true }) };
}

function nodeOf(root: string, changes: Record<string, unknown>): Record<string, unknown> {
	const node: Record<string, unknown> = {
		format: 1,
		revision: '12-0a1b2c3d4e5f',
		hostname: 'mx.example.com',
		live_init: `${root}/init.lua`,
		monitor_globs: [],
		default_pool: 'main',
		mail_root: '/var/mail/kumomta',
		suppression_root: join(root, 'suppression'),
		dkim_root: join(root, 'dkim'),
		share_root: '/opt/kumomta/share',
		relay_hosts: ['192.0.2.0/28'],
		caches: { senders: 50_000, domains: 20_000, ttl: '5 minutes', dkim: 1024 },
		listener: [
			{ address: '0.0.0.0', port: 25, purpose: 'inbound' },
			{ address: '0.0.0.0', port: 587, purpose: 'submission' },
			{ address: '0.0.0.0', port: 2525, purpose: 'relay' }
		],
		spool: { directory: '/var/spool/kumomta', kind: 'RocksDB', min_free: '10%' },
		logs: { directory: '/var/log/kumomta', max_segment_duration: '10 seconds' },
		http: { listen: '127.0.0.1:8000', mode: 'trusted' },
		source: { 'out-1-abc123': { source_address: '192.0.2.10', ehlo_domain: 'out1.example.com' } },
		pool: { main: { entries: [{ name: 'out-1-abc123', weight: 1 }] }, gone: { entries: [] } },
		...changes
	};
	return Object.fromEntries(Object.entries(node).filter(([, value]) => value !== undefined));
}
