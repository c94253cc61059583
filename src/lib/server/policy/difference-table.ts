import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { nodeChanges } from './node-changes.ts';
import { addedRows, attachPair, changedRows, objectTables, removedRows } from './pair.ts';
import type { ObjectTable } from './pair.ts';
import { readManifest } from './revision.ts';

/**
 * Every difference of two revision directories, in the order of the pages: the node, then domain by domain. It holds keys
 * only, so that any page, group and count costs the same at 100,000 senders; values are read for the rows of one page.
 */
export interface DifferenceTable {
	/** Table `diff(place, domain, scope, kind, source, key, node)`; `was` and `now` are attached by `withPair`. */
	db: DatabaseSync;
	/** Names the pair in cursors. */
	bound: string;
	withPair: <T>(work: () => T) => T;
}

const scopes: Record<ObjectTable, string> = {
	domain: 'domain',
	sender: 'sender',
	mailbox: 'bounce-account',
	tenant: 'queue'
};

let last: (DifferenceTable & { key: string }) | undefined;

/** The table of this pair; the last one made is kept, since pages of one comparison follow each other. */
export function differenceTable(was: string | null, now: string): DifferenceTable {
	const key = JSON.stringify([was, now, was === null ? null : stateOf(was), stateOf(now)]);
	if (last?.key === key) return last;
	last?.db.close();
	last = undefined;
	last = { key, ...build(was, now) };
	return last;
}

const stateOf = (directory: string) =>
	['directory.sqlite', 'manifest.json'].map((path) => {
		const { ino, size, mtimeMs } = statSync(join(directory, path));
		return [ino, size, mtimeMs];
	});

function build(was: string | null, now: string): DifferenceTable {
	const manifests = { was: was === null ? null : readManifest(was), now: readManifest(now) };
	const db = new DatabaseSync(':memory:');
	const withPair = <T>(work: () => T): T => {
		attachPair(db, was, now);
		try {
			return work();
		} finally {
			db.exec('DETACH was; DETACH now');
		}
	};
	try {
		db.exec(
			'CREATE TABLE diff (place INTEGER PRIMARY KEY, domain TEXT, scope TEXT, kind TEXT, source TEXT, key TEXT, node TEXT)'
		);
		const insert = db.prepare('INSERT INTO diff (domain, scope, kind, source, key, node) VALUES (NULL, ?, ?, ?, ?, ?)');
		for (const change of nodeChanges(manifests.was, manifests.now))
			insert.run(change.scope, change.kind, 'node', change.subject, JSON.stringify(change));
		if (manifests.was?.directoryHash !== manifests.now.directoryHash) withPair(() => fill(db));
		db.exec('CREATE INDEX diff_domain ON diff (domain, place)');
	} catch (error) {
		db.close();
		throw error;
	}
	return { db, bound: `${manifests.was?.hash.slice(0, 12) ?? ''}-${manifests.now.hash.slice(0, 12)}`, withPair };
}

/** Queues that are forgotten belong to no domain any more and come before the domains. */
function fill(db: DatabaseSync): void {
	const parts = objectTables.flatMap((table, rank) => {
		const row = (side: 'n' | 'w', kind: string) =>
			`SELECT ${domainOf(table, side)} AS domain, '${scopes[table]}' AS scope, '${kind}' AS kind, '${table}' AS source, ${side}.key AS key, ${rank} AS rank`;
		const removed = `${row('w', 'removed')} ${removedRows(table)}`;
		if (table === 'tenant') return [removed];
		return [`${row('n', 'added')} ${addedRows(table)}`, `${row('n', 'changed')} ${changedRows(table)}`, removed];
	});
	db.exec(
		`INSERT INTO diff (domain, scope, kind, source, key) SELECT domain, scope, kind, source, key FROM (${parts.join(' UNION ALL ')}) ORDER BY domain, rank, key`
	);
}

function domainOf(table: ObjectTable, side: 'n' | 'w'): string {
	if (table === 'tenant') return 'NULL';
	if (table === 'domain') return `${side}.key`;
	const host = `substr(${side}.key, instr(${side}.key, '@') + 1)`;
	if (table === 'sender') return host;
	const schema = side === 'n' ? 'now' : 'was';
	return `coalesce((SELECT json_extract(b.value, '$.domain') FROM ${schema}.bounce_host b WHERE b.key = ${host}), ${host})`;
}
