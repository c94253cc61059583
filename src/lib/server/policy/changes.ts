import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { domainAdded, domainChanged, senderAdded, senderChanged } from './change-words.ts';
import { nodeChanges } from './node-changes.ts';
import { readManifest } from './revision.ts';
import { directoryTables } from './rows.ts';
import type { DomainValue, SenderValue } from './rows.ts';

/** One difference in words. A verifier is never among them: `password changed`. */
export interface Change {
	scope: 'setting' | 'program' | 'source' | 'pool' | 'domain' | 'sender' | 'bounce-account' | 'queue';
	kind: 'added' | 'removed' | 'changed';
	id?: string;
	subject: string;
	text: string;
}

export interface ChangeCounts {
	added: number;
	removed: number;
	changed: number;
	total: number;
}

export interface ChangePage {
	items: Change[];
	nextCursor: string | null;
	total: number;
	counts: ChangeCounts;
}

/** Tables in the order of the pages; `tenant` shows only what no sender shows: queues that are forgotten. */
const sections = ['node', 'domain', 'sender', 'mailbox', 'tenant'] as const;
type Section = (typeof sections)[number];
type Difference = { key: string; was: string | null; now: string | null };

const cursorShape = z.tuple([z.string(), z.enum(sections), z.string()]);

/** A cursor that was made for another pair of revisions, or by nobody. */
export class CursorError extends Error {
	override name = 'CursorError';
}

/**
 * One page of the differences between two revision directories, by key: any page costs the same.
 * @param was null: everything is new. @param limit 1 to 1000. @throws CursorError
 */
export function listChanges(
	was: string | null,
	now: string,
	{ cursor, limit = 100 }: { cursor?: string | undefined; limit?: number | undefined } = {}
): Omit<ChangePage, 'total' | 'counts'> {
	const manifests = { was: was === null ? null : readManifest(was), now: readManifest(now) };
	const bound = `${manifests.was?.hash.slice(0, 12) ?? ''}-${manifests.now.hash.slice(0, 12)}`;
	const [first, after] = cursor === undefined ? (['node', ''] as const) : readCursor(cursor, bound);
	const db = openPair(was, now);
	try {
		const items: Change[] = [];
		let last: [Section, string] = [first, after];
		const isSameData = manifests.was?.directoryHash === manifests.now.directoryHash;
		for (const section of sections.slice(sections.indexOf(first))) {
			if (isSameData && section !== 'node') break;
			const start = section === first ? after : '';
			const rest = limit + 1 - items.length;
			const found =
				section === 'node'
					? nodeChanges(manifests.was, manifests.now)
							.map((change, index): [string, Change] => [String(index).padStart(6, '0'), change])
							.filter(([key]) => key > start)
							.slice(0, rest)
					: differences(db, section, start, rest).map((row): [string, Change] => [row.key, inWords(section, row)]);
			for (const [key, change] of found) {
				if (items.length === limit) {
					const next = Buffer.from(JSON.stringify([bound, ...last])).toString('base64url');
					return { items, nextCursor: next };
				}
				items.push(change);
				last = [section, key];
			}
		}
		return { items, nextCursor: null };
	} finally {
		db.close();
	}
}

function readCursor(text: string, bound: string): [Section, string] {
	try {
		const [madeFor, section, key] = cursorShape.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
		if (madeFor === bound) return [section, key];
	} catch {
		// Falls through to the same answer as a cursor of other revisions.
	}
	throw new CursorError('This cursor belongs to other revisions.');
}

/** How many differences there are; nothing is put into words. */
export function countChanges(was: string | null, now: string): ChangeCounts {
	const counts: ChangeCounts = { added: 0, removed: 0, changed: 0, total: 0 };
	const before = was === null ? null : readManifest(was);
	const after = readManifest(now);
	for (const { kind } of nodeChanges(before, after)) counts[kind]++;
	if (before?.directoryHash !== after.directoryHash) countRows(was, now, counts);
	counts.total = counts.added + counts.removed + counts.changed;
	return counts;
}

function countRows(was: string | null, now: string, counts: ChangeCounts): void {
	const db = openPair(was, now);
	try {
		const count = (sql: string) => (db.prepare(`SELECT count(*) AS n ${sql}`).get() as { n: number }).n;
		for (const table of ['domain', 'sender', 'mailbox'] as const) {
			counts.added += count(addedRows(table));
			counts.changed += count(changedRows(table));
			counts.removed += count(removedRows(table));
		}
		counts.removed += count(removedRows('tenant'));
	} finally {
		db.close();
	}
}

/** DKIM keys of `now` that `was` does not have, at most `limit`. */
export function newKeys(was: string | null, now: string, limit: number): { domain: string; selector: string }[] {
	const db = openPair(was, now);
	try {
		const rows = db.prepare(`SELECT n.key ${addedRows('dkim_key')} ORDER BY n.key LIMIT ?`).all(limit) as {
			key: string;
		}[];
		return rows.map(({ key }) => ({ domain: key.split('/')[0] ?? '', selector: key.split('/')[1] ?? '' }));
	} finally {
		db.close();
	}
}

function openPair(was: string | null, now: string): DatabaseSync {
	const db = new DatabaseSync(':memory:');
	try {
		db.prepare('ATTACH ? AS now').run(`file:${encodeURI(join(now, 'directory.sqlite'))}?mode=ro`);
		if (was !== null) {
			db.prepare('ATTACH ? AS was').run(`file:${encodeURI(join(was, 'directory.sqlite'))}?mode=ro`);
		} else {
			db.exec("ATTACH ':memory:' AS was");
			for (const table of directoryTables)
				db.exec(`CREATE TABLE was.${table} (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`);
		}
		return db;
	} catch (error) {
		db.close();
		throw error;
	}
}

const addedRows = (table: string) =>
	`FROM now.${table} n WHERE NOT EXISTS (SELECT 1 FROM was.${table} w WHERE w.key = n.key)`;
const changedRows = (table: string) =>
	`FROM now.${table} n CROSS JOIN was.${table} w WHERE w.key = n.key AND w.value <> n.value`;
/** A tenant without a sender is a removed one whose mail is still waiting. */
const removedRows = (table: string) =>
	`FROM was.${table} w WHERE NOT EXISTS (SELECT 1 FROM now.${table} n WHERE n.key = w.key)${
		table === 'tenant' ? ` AND instr(w.value, '"sender":') = 0` : ''
	}`;

function differences(db: DatabaseSync, table: Exclude<Section, 'node'>, after: string, limit: number): Difference[] {
	const parts = [`SELECT w.key, w.value AS was, NULL AS now ${removedRows(table)} AND w.key > :after`];
	if (table !== 'tenant') {
		parts.push(`SELECT n.key, NULL AS was, n.value AS now ${addedRows(table)} AND n.key > :after`);
		parts.push(`SELECT n.key, w.value AS was, n.value AS now ${changedRows(table)} AND n.key > :after`);
	}
	const sql = `${parts.join(' UNION ALL ')} ORDER BY key LIMIT :limit`;
	return db.prepare(sql).all({ ':after': after, ':limit': limit }) as unknown as Difference[];
}

function inWords(section: Exclude<Section, 'node'>, { key, was, now }: Difference): Change {
	const kind = was === null ? 'added' : now === null ? 'removed' : 'changed';
	const id = (JSON.parse(now ?? was ?? '{}') as { id?: string }).id;
	const change = (scope: Change['scope'], text: string): Change => ({
		scope,
		kind,
		...(id && { id }),
		subject: key,
		text
	});
	if (section === 'domain') return change('domain', domainText(was, now) ?? `Domain ${key} is removed`);
	if (section === 'sender') return change('sender', senderText(key, was, now) ?? `Sender ${key} is removed`);
	if (section === 'mailbox') {
		const verb =
			kind === 'added' ? 'is new' : kind === 'removed' ? 'is removed or paused' : 'was removed and made anew';
		return change('bounce-account', `Bounce account ${key} ${verb}`);
	}
	return change('queue', `The queues of the removed sender ${key} are forgotten`);
}

function domainText(was: string | null, now: string | null): string | undefined {
	if (now === null) return undefined;
	const is = JSON.parse(now) as DomainValue;
	return was === null ? domainAdded(is) : domainChanged(JSON.parse(was) as DomainValue, is);
}

function senderText(address: string, was: string | null, now: string | null): string | undefined {
	if (now === null) return undefined;
	const is = JSON.parse(now) as SenderValue;
	return was === null ? senderAdded(address, is) : senderChanged(address, JSON.parse(was) as SenderValue, is);
}
