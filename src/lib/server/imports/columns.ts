import type { z } from 'zod';
import { hostName, localPart } from '../core/inputs.ts';
import type { Secret } from '../core/secret.ts';
import { chosenPassword } from '../senders/service.ts';
import type { CsvRecord } from './csv.ts';

export const columnNames = ['domain', 'sender', 'pool', 'from_policy', 'limit', 'password', 'dkim'] as const;
export type Column = (typeof columnNames)[number];

export interface RowError {
	/** Empty: the whole line. */
	column: Column | '';
	message: string;
}

/** A line of the file as it was understood; null and undefined where a column is empty. Wrong text is never kept. */
export interface ParsedRow {
	line: number;
	domain: string | null;
	localPart: string | null;
	pool: string | null;
	fromPolicy: 'address' | 'domain' | null;
	limit: { count: number; unit: string } | null;
	password: Secret | null;
	dkim: boolean | null;
	errors: RowError[];
}

/** So that `bounce.<name>` is a host name too: at most 253 octets with it. */
const domainName = hostName(246);
const units = new Map([
	['second', 'perSecond'],
	['minute', 'perMinute'],
	['hour', 'perHour'],
	['day', 'perDay']
]);

/** Which column stands where, or what is wrong with the first line. Its names may stand in any order and letter case. */
export function readHeader(record: CsvRecord | undefined): { columns: Column[] } | { error: RowError } {
	const wrong = (message: string) => ({ error: { column: '' as const, message } });
	if (record === undefined) return wrong('The file is empty. Its first line names the columns: domain,sender,pool,…');
	if (record.problem !== undefined) return wrong(record.problem);
	const names = record.fields.map((name) => name.trim().toLowerCase());
	const columns = names.filter((name): name is Column => (columnNames as readonly string[]).includes(name));
	if (columns.length !== names.length)
		return wrong(`The first line may name only these columns: ${columnNames.join(', ')}.`);
	if (new Set(columns).size !== columns.length) return wrong('The first line names a column twice.');
	if (!columns.includes('domain')) return wrong('The first line does not name the column domain.');
	return { columns };
}

export function parseRow(record: CsvRecord, columns: Column[]): ParsedRow {
	const row: ParsedRow = {
		line: record.line,
		domain: null,
		localPart: null,
		pool: null,
		fromPolicy: null,
		limit: null,
		password: null,
		dkim: null,
		errors: []
	};
	if (record.problem !== undefined) row.errors.push({ column: '', message: record.problem });
	else if (record.fields.length > columns.length)
		row.errors.push({
			column: '',
			message: `The line has ${record.fields.length} fields, the first line names ${columns.length}. A comma inside a field needs quotes.`
		});
	else for (const [index, column] of columns.entries()) parseCell(row, column, record.fields[index] ?? '');
	if (row.domain === null && row.errors.length === 0)
		row.errors.push({ column: 'domain', message: 'Every line names a domain.' });
	if (row.errors.length === 0 && row.localPart === null && hasSenderFields(row))
		row.errors.push({ column: 'sender', message: 'This line sets something of a sender without naming one.' });
	return row;
}

const hasSenderFields = ({ pool, fromPolicy, limit, password }: ParsedRow) =>
	[pool, fromPolicy, limit, password].some((each) => each !== null);

/** Passwords are taken as they stand; around everything else spaces do not matter. */
function parseCell(row: ParsedRow, column: Column, text: string): void {
	const bare = column === 'password' ? text : text.trim();
	if (bare === '') return;
	const problem = bare.length > 1000 ? 'Too long.' : cells[column](row, bare);
	if (problem !== undefined) row.errors.push({ column, message: problem });
}

const cells: Record<Column, (row: ParsedRow, text: string) => string | undefined> = {
	domain: (row, text) => take(domainName.safeParse(text), (name) => (row.domain = name)),
	sender: (row, text) => parseSender(row, text),
	pool: (row, text) => void (row.pool = text),
	from_policy: (row, text) => {
		const policy = text.toLowerCase();
		if (policy !== 'address' && policy !== 'domain') return 'Write address or domain.';
		row.fromPolicy = policy;
		return undefined;
	},
	limit: (row, text) => {
		const [, count, unit = ''] = /^(\d{1,10})\s*\/\s*([a-z]+)$/i.exec(text) ?? [];
		const known = units.get(unit.toLowerCase());
		if (known === undefined || Number(count) < 1 || Number(count) > 1_000_000_000)
			return 'Write it like 1000/hour: 1 to 1,000,000,000 per second, minute, hour or day.';
		row.limit = { count: Number(count), unit: known };
		return undefined;
	},
	password: (row, text) => take(chosenPassword.safeParse(text), (secret) => (row.password = secret)),
	dkim: (row, text) => {
		const answer = text.toLowerCase();
		if (answer !== 'yes' && answer !== 'no') return 'Write yes or no.';
		row.dkim = answer === 'yes';
		return undefined;
	}
};

/** The part before the `@`, or the whole address at the line's domain. */
function parseSender(row: ParsedRow, text: string): string | undefined {
	const at = text.lastIndexOf('@');
	if (at === -1) return take(localPart.safeParse(text), (local) => (row.localPart = local));
	const host = domainName.safeParse(text.slice(at + 1));
	if (row.domain !== null && host.success && host.data !== row.domain)
		return 'The address is at another domain than the line says.';
	if (!host.success) return 'This is not an e-mail address.';
	return take(localPart.safeParse(text.slice(0, at)), (local) => (row.localPart = local));
}

function take<T>(parsed: z.ZodSafeParseResult<T>, keep: (value: T) => void): string | undefined {
	if (!parsed.success) return parsed.error.issues[0]?.message ?? 'This is not right.';
	keep(parsed.data);
	return undefined;
}
