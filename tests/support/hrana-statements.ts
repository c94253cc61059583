import Libsql from 'libsql';

/** A value as the Hrana 2 protocol writes it in JSON. */
export type HranaValue =
	| { type: 'null' }
	| { type: 'integer'; value: string }
	| { type: 'float'; value: number }
	| { type: 'text'; value: string }
	| { type: 'blob'; base64: string };

export interface HranaStatement {
	sql?: string;
	sql_id?: number;
	args?: HranaValue[];
	named_args?: { name: string; value: HranaValue }[];
	want_rows?: boolean;
}

export interface StatementResult {
	cols: { name: string; decltype: string | null }[];
	rows: HranaValue[][];
	affected_row_count: number;
	last_insert_rowid: string | null;
}

export type Connection = InstanceType<typeof Libsql>;

/** An error of one statement; the stream goes on. */
export class StatementError extends Error {
	readonly code: string;
	constructor(code: string, message: string) {
		super(message);
		this.code = code;
	}
}

export function openConnection(path: string, foreignKeys: boolean): Connection {
	const connection = new Libsql(path, { timeout: 0 });
	connection.exec(`PRAGMA foreign_keys = ${foreignKeys ? 'on' : 'off'}`);
	return connection;
}

export function runStatement(connection: Connection, sql: string, statement: HranaStatement): StatementResult {
	assertServed(sql);
	const prepared = prepare(connection, sql).safeIntegers(true);
	const values = bound(statement);
	const isChange =
		/^\s*(?:insert|update|delete|replace)\b/i.test(sql) || /^\s*with\b[^;]*\b(?:insert|update|delete)\b/is.test(sql);
	return translated(() => {
		if (!prepared.reader) {
			const { changes, lastInsertRowid } = prepared.run(values);
			return {
				cols: [],
				rows: [],
				affected_row_count: isChange ? changes : 0,
				last_insert_rowid: isChange ? String(lastInsertRowid) : null
			};
		}
		const cols = prepared.columns().map(({ name, type }) => ({ name, decltype: type }));
		const rows = (prepared.raw(true).all(values) as unknown[][]).map((row) => row.map(written));
		return {
			cols,
			rows: statement.want_rows === false ? [] : rows,
			affected_row_count: isChange ? countChanges(connection) : 0,
			last_insert_rowid: null
		};
	});
}

export function runSequence(connection: Connection, sql: string): void {
	translated(() => connection.exec(sql));
}

/** Parameters are not told: the package does not know them. */
export function describe(connection: Connection, sql: string) {
	const prepared = prepare(connection, sql);
	const cols = prepared.reader ? prepared.columns().map(({ name, type }) => ({ name, decltype: type })) : [];
	const isExplain = /^\s*explain\b/i.test(sql);
	return { params: [], cols, is_explain: isExplain, is_readonly: isExplain || /^\s*select\b/i.test(sql) };
}

const pragmas =
	/^(?:foreign_keys|foreign_key_check|foreign_key_list|defer_foreign_keys|table_list|table_info|table_xinfo|index_list|index_xinfo|data_version|integrity_check|quick_check|page_count|freelist_count|user_version|encoding)$/i;

/** A libSQL server parses each statement and serves no other: what changes the process or its files is refused. */
function assertServed(sql: string): void {
	const pragma = /^\s*pragma\s+(?:\w+\.)?(\w+)\s*([=(]?)/i.exec(sql);
	const isRefused =
		pragma === null
			? /^\s*(?:attach|detach|vacuum|reindex|analyze|create\s+temp)/i.test(sql)
			: !pragmas.test(pragma[1] ?? '');
	if (isRefused)
		throw new StatementError('SQL_PARSE_ERROR', `SQL string could not be parsed: unsupported statement: ${sql}`);
}

function prepare(connection: Connection, sql: string) {
	try {
		return connection.prepare(sql);
	} catch (error) {
		if (codeOf(error) === 'SQLITE_BUSY') throw new StatementError('SQLITE_BUSY', 'SQLite error: database is locked');
		throw new StatementError('SQL_INPUT_ERROR', `SQL input error: ${(error as Error).message} (at offset 0)`);
	}
}

/** A server tells the primary code only: whether it was a unique key or a foreign one stands in the text. */
function translated<T>(work: () => T): T {
	try {
		return work();
	} catch (error) {
		const code = codeOf(error);
		if (code === undefined) throw error;
		throw new StatementError(code, `SQLite error: ${(error as Error).message}`);
	}
}

function codeOf(error: unknown): string | undefined {
	const { code } = error as { code?: unknown };
	return typeof code === 'string' ? code.split('_').slice(0, 2).join('_') : undefined;
}

function countChanges(connection: Connection): number {
	return Number((connection.prepare('SELECT changes()').raw(true).get() as unknown[])[0]);
}

function bound({ args = [], named_args: named = [] }: HranaStatement): any {
	if (named.length === 0) return args.map(read);
	return Object.fromEntries(named.map(({ name, value }) => [name.replace(/^[:@$]/, ''), read(value)]));
}

function read(value: HranaValue): unknown {
	if (value.type === 'null') return null;
	if (value.type === 'integer') return BigInt(value.value);
	return value.type === 'blob' ? Buffer.from(value.base64, 'base64') : value.value;
}

function written(value: unknown): HranaValue {
	if (value === null) return { type: 'null' };
	if (typeof value === 'bigint') return { type: 'integer', value: String(value) };
	if (typeof value === 'number') return { type: 'float', value };
	if (typeof value === 'string') return { type: 'text', value };
	return { type: 'blob', base64: Buffer.from(value as Uint8Array).toString('base64') };
}
