import type { SQLInputValue } from 'node:sqlite';
import { z } from 'zod';
import { domainInWords, mailboxInWords, senderInWords } from './change-words.ts';
import type { FieldChange, Wording } from './change-words.ts';
import { differenceTable } from './difference-table.ts';
import type { DifferenceTable } from './difference-table.ts';
import { nodeChanges } from './node-changes.ts';
import { addedRows, changedRows, openPair, removedRows } from './pair.ts';
import type { ObjectTable } from './pair.ts';
import { readManifest } from './revision.ts';
import type { DomainValue, MailboxValue, SenderValue } from './rows.ts';

export const changeScopes = [
	'setting',
	'program',
	'source',
	'pool',
	'domain',
	'sender',
	'bounce-account',
	'queue'
] as const;

/** One difference in words. A verifier is never among them: `password changed`. */
export interface Change {
	scope: (typeof changeScopes)[number];
	kind: 'added' | 'removed' | 'changed';
	id?: string;
	subject: string;
	text: string;
	/** The sending domain that it belongs to. */
	domain?: string;
	/** What became of each field of something that was changed. */
	fields?: FieldChange[];
}

export interface ChangeCounts {
	added: number;
	removed: number;
	changed: number;
	total: number;
}

/** Of all differences, whatever is filtered. */
export interface ScopedCounts extends ChangeCounts {
	scopes: ({ scope: Change['scope'] } & ChangeCounts)[];
}

export interface ChangePage {
	items: Change[];
	nextCursor: string | null;
	/** Under the filters. */
	total: number;
	counts: ScopedCounts;
}

export interface ChangeFilter {
	scope?: Change['scope'] | undefined;
	kind?: Change['kind'] | undefined;
	/** Null: what belongs to no domain. */
	domain?: string | null | undefined;
	/** Part of a subject. */
	search?: string | undefined;
}

export interface ChangeRequest extends ChangeFilter {
	cursor?: string | undefined;
	/** 1 to 1000, default 100. */
	limit?: number | undefined;
}

/** A domain, or null for what belongs to none, with how many differences it has. */
export type ChangeGroup = { domain: string | null } & ChangeCounts;

export interface GroupPage {
	items: ChangeGroup[];
	nextCursor: string | null;
	total: number;
}

const cursorShape = z.tuple([z.string(), z.union([z.int(), z.string()])]);

/** A cursor that was made for another pair of revisions or other filters, or by nobody. */
export class CursorError extends Error {
	override name = 'CursorError';
}

/**
 * One page of the differences between two revision directories, domain by domain: any page costs the same.
 * @param was null: everything is new. @throws CursorError
 */
export function listChanges(was: string | null, now: string, request: ChangeRequest = {}): ChangePage {
	const { limit = 100, cursor } = request;
	const table = differenceTable(was, now);
	const { where, values } = conditions(request);
	const bound = boundTo(table, ['changes', request]);
	const after = Number(readCursor(cursor, bound) ?? 0);
	const rows = table.db
		.prepare(`SELECT * FROM diff WHERE ${where} AND place > ? ORDER BY place LIMIT ?`)
		.all(...values, after, limit + 1) as unknown as Row[];
	const shown = rows.slice(0, limit);
	const last = shown.at(-1);
	const { n: total } = table.db.prepare(`SELECT count(*) AS n FROM diff WHERE ${where}`).get(...values) as {
		n: number;
	};
	return {
		items: table.withPair(() => shown.map((row) => inWords(table, row))),
		nextCursor: rows.length > limit && last !== undefined ? writeCursor(bound, last.place) : null,
		total,
		counts: scopedCounts(table)
	};
}

/** One page of the domains that have differences, by name; what belongs to no domain comes first. @throws CursorError */
export function groupChanges(was: string | null, now: string, request: ChangeRequest = {}): GroupPage {
	const { limit = 100, cursor } = request;
	const table = differenceTable(was, now);
	const { where, values } = conditions(request);
	const bound = boundTo(table, ['groups', request]);
	const after = readCursor(cursor, bound);
	const of = (kind: Change['kind']) => `sum(kind = '${kind}') AS ${kind}`;
	const rows = table.db
		.prepare(
			`SELECT domain, ${of('added')}, ${of('removed')}, ${of('changed')}, count(*) AS total FROM diff
			 WHERE ${where} ${after === undefined ? '' : 'AND domain > ?'} GROUP BY domain ORDER BY domain LIMIT ?`
		)
		.all(...values, ...(after === undefined ? [] : [after]), limit + 1) as unknown as ChangeGroup[];
	const items = rows.slice(0, limit).map((row) => ({ ...row }));
	const { n: total } = table.db
		.prepare(`SELECT count(*) AS n FROM (SELECT 1 FROM diff WHERE ${where} GROUP BY domain)`)
		.get(...values) as { n: number };
	return {
		items,
		nextCursor: rows.length > limit ? writeCursor(bound, items.at(-1)?.domain ?? '') : null,
		total
	};
}

function conditions({ scope, kind, domain, search }: ChangeFilter): { where: string; values: SQLInputValue[] } {
	const parts: [string, ...SQLInputValue[]][] = [['1']];
	if (scope !== undefined) parts.push(['scope = ?', scope]);
	if (kind !== undefined) parts.push(['kind = ?', kind]);
	if (domain === null) parts.push(['domain IS NULL']);
	else if (domain !== undefined) parts.push(['domain = ?', domain]);
	if (search) parts.push(["key LIKE ? ESCAPE '\\'", `%${search.replaceAll(/[\\%_]/g, '\\$&')}%`]);
	return { where: parts.map(([sql]) => sql).join(' AND '), values: parts.flatMap(([, ...values]) => values) };
}

const boundTo = ({ bound }: DifferenceTable, [what, { scope, kind, domain, search }]: [string, ChangeFilter]) =>
	JSON.stringify([bound, what, scope, kind, domain, search]);

const writeCursor = (bound: string, place: number | string) =>
	Buffer.from(JSON.stringify([bound, place])).toString('base64url');

function readCursor(text: string | undefined, bound: string): number | string | undefined {
	if (text === undefined) return undefined;
	try {
		const [madeFor, place] = cursorShape.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
		if (madeFor === bound) return place;
	} catch {
		// Falls through to the same answer as a cursor of other revisions.
	}
	throw new CursorError('This cursor belongs to other revisions.');
}

function scopedCounts({ db }: DifferenceTable): ScopedCounts {
	const counts: ScopedCounts = { added: 0, removed: 0, changed: 0, total: 0, scopes: [] };
	const rows = db.prepare('SELECT scope, kind, count(*) AS n FROM diff GROUP BY scope, kind').all() as unknown as {
		scope: Change['scope'];
		kind: Change['kind'];
		n: number;
	}[];
	for (const scope of changeScopes) {
		const own = { scope, added: 0, removed: 0, changed: 0, total: 0 };
		for (const { kind, n } of rows.filter((row) => row.scope === scope)) {
			for (const each of [own, counts]) each[kind] += n;
			for (const each of [own, counts]) each.total += n;
		}
		if (own.total > 0) counts.scopes.push(own);
	}
	return counts;
}

/** How many differences there are; nothing is put into words. Where something was live, the pages that follow are ready. */
export function countChanges(was: string | null, now: string): ChangeCounts {
	if (was !== null) {
		const { scopes: _, ...all } = scopedCounts(differenceTable(was, now));
		return all;
	}
	const counts: ChangeCounts = { added: 0, removed: 0, changed: 0, total: 0 };
	for (const { kind } of nodeChanges(null, readManifest(now))) counts[kind]++;
	countRows(null, now, counts);
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

interface Row {
	place: number;
	domain: string | null;
	scope: Change['scope'];
	kind: Change['kind'];
	source: 'node' | ObjectTable;
	key: string;
	node: string | null;
}

function inWords({ db }: DifferenceTable, { domain, scope, kind, source, key, node }: Row): Change {
	if (source === 'node') return JSON.parse(node ?? '{}') as Change;
	const read = (side: 'was' | 'now') =>
		(db.prepare(`SELECT value FROM ${side}.${source} WHERE key = ?`).get(key) as { value: string } | undefined)?.value;
	const [was, now] = [read('was'), read('now')];
	const { id } = JSON.parse(now ?? was ?? '{}') as { id?: string };
	return {
		scope,
		kind,
		...(id && { id }),
		subject: key,
		...(domain !== null && { domain }),
		...wording(source, key, { was, now })
	};
}

/** @param pair the JSON of both sides. */
export function wording(table: ObjectTable, key: string, { was, now }: { was?: string; now?: string }): Wording {
	const parse = <Value>(text: string | undefined) => (text === undefined ? undefined : (JSON.parse(text) as Value));
	if (table === 'domain') return domainInWords(key, parse<DomainValue>(was), parse<DomainValue>(now));
	if (table === 'sender') return senderInWords(key, parse<SenderValue>(was), parse<SenderValue>(now));
	if (table === 'tenant') return { text: `The queues of the removed sender ${key} are forgotten` };
	return mailboxInWords(key, parse<MailboxValue>(was), parse<MailboxValue>(now));
}
