import { DatabaseSync } from 'node:sqlite';
import { fromHex, withoutNulls } from './wire.ts';

/** Parameters as the double writes them: `t` and hex, `n` and a number, `0` for nil. */
function boundValues(parameters: string): (string | number | bigint | null)[] {
	const written = parameters === '' ? [] : parameters.split(' ');
	return written.map((each) => {
		if (each.startsWith('t')) return fromHex(each.slice(1));
		if (!each.startsWith('n')) return null;
		const number = Number(each.slice(1));
		// node:sqlite binds a number as REAL; KumoMTA binds an integer.
		return Number.isInteger(number) ? BigInt(number) : number;
	});
}

/** Connections that read, each with the file that it opened. What keeps one from opening comes with its first query. */
export function createConnections() {
	const open = new Map<number, DatabaseSync | Error>();
	let last = 0;
	function databaseOf(connection: number): DatabaseSync {
		const database = open.get(connection);
		if (database instanceof DatabaseSync) return database;
		throw database ?? new Error('connection was closed');
	}
	function opened(path: string): DatabaseSync | Error {
		try {
			return new DatabaseSync(path, { readOnly: true });
		} catch (error) {
			return error instanceof Error ? error : new Error('unknown');
		}
	}
	function close(connection: number): void {
		const database = open.get(connection);
		if (database instanceof DatabaseSync) database.close();
		open.delete(connection);
	}
	return {
		open: (path: string): number => {
			last += 1;
			open.set(last, opened(path));
			return last;
		},
		close,
		closeAll: () => [...open.keys()].forEach(close),
		select: (connection: number, sql: string, parameters: string) => {
			try {
				const statement = databaseOf(connection).prepare(sql);
				const columns = statement.columns().length;
				const bound = boundValues(parameters);
				if (columns === 0) return { columns, count: 0, rows: [], changes: Number(statement.run(...bound).changes) };
				const rows = statement.all(...bound);
				const values = rows.map((row) => (columns === 1 ? Object.values(row)[0] : row));
				return { columns, count: rows.length, rows: withoutNulls(values) };
			} catch (error) {
				return { columns: 0, count: 0, rows: [], problem: error instanceof Error ? error.message : 'unknown' };
			}
		}
	};
}
