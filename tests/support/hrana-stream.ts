import { setTimeout as sleep } from 'node:timers/promises';
import { describe, openConnection, runSequence, runStatement, StatementError } from './hrana-statements.ts';
import type { Connection, HranaStatement, StatementResult } from './hrana-statements.ts';

interface HranaBatch {
	steps: { condition?: Condition | null; stmt: HranaStatement }[];
}

type Condition =
	| { type: 'ok' | 'error'; step: number }
	| { type: 'not'; cond: Condition }
	| { type: 'and' | 'or'; conds: Condition[] }
	| { type: 'is_autocommit' };

export interface HranaRequest {
	type: string;
	sql?: string;
	sql_id?: number;
	stmt?: HranaStatement;
	batch?: HranaBatch;
}

/** One connection, and the SQL texts that its client stored. */
export interface HranaStream {
	connection: Connection;
	texts: Map<number, string>;
	version: number;
	isOpen: boolean;
	reopen: () => void;
}

/** The client broke the protocol, or its stream is gone: the whole request is refused. */
export class StreamError extends Error {}

export function openStream(
	file: string,
	{ foreignKeys, version }: { foreignKeys: boolean; version: number }
): HranaStream {
	const stream: HranaStream = {
		connection: openConnection(file, foreignKeys),
		texts: new Map(),
		version,
		isOpen: true,
		reopen() {
			closeConnection(stream.connection);
			stream.connection = openConnection(file, foreignKeys);
		}
	};
	return stream;
}

export function closeStream(stream: HranaStream): void {
	if (stream.isOpen) closeConnection(stream.connection);
	stream.isOpen = false;
}

/** A statement that is not collected yet would keep the connection, and its transaction, after the close. */
function closeConnection(connection: Connection): void {
	if (connection.inTransaction) connection.exec('ROLLBACK');
	connection.close();
}

/** @param busyTimeoutMs how long a statement waits for another stream's transaction. */
export async function answerRequest(
	stream: HranaStream,
	request: HranaRequest,
	busyTimeoutMs = 5000
): Promise<unknown> {
	if (!stream.isOpen) throw new StreamError('The stream is closed');
	try {
		return { type: 'ok', response: { type: request.type, ...(await respond(stream, request, busyTimeoutMs)) } };
	} catch (error) {
		if (!(error instanceof StatementError)) throw error;
		return { type: 'error', error: { message: error.message, code: error.code } };
	}
}

async function respond(stream: HranaStream, request: HranaRequest, busyTimeoutMs: number): Promise<object> {
	switch (request.type) {
		case 'execute':
			return { result: await execute(stream, request.stmt ?? {}, busyTimeoutMs) };
		case 'batch':
			return { result: await runBatch(stream, request.batch ?? { steps: [] }, busyTimeoutMs) };
		case 'sequence':
			runSequence(stream.connection, textOf(stream, request));
			return {};
		case 'describe':
			return { result: describe(stream.connection, textOf(stream, request)) };
		case 'store_sql':
			stream.texts.set(request.sql_id ?? 0, request.sql ?? '');
			return {};
		case 'close_sql':
			stream.texts.delete(request.sql_id ?? 0);
			return {};
		case 'get_autocommit':
			return { is_autocommit: isAutocommit(stream) };
		case 'close':
			closeStream(stream);
			return {};
		default:
			throw new StreamError(`Unknown request ${request.type}`);
	}
}

/** Waits for another stream's transaction as a server does, without holding the event loop that is to end it. */
async function execute(
	stream: HranaStream,
	statement: HranaStatement,
	busyTimeoutMs: number
): Promise<StatementResult> {
	const sql = textOf(stream, statement);
	for (let waited = 0; ; waited += 5) {
		try {
			return runStatement(stream.connection, sql, statement);
		} catch (error) {
			const isBusy = error instanceof StatementError && error.code === 'SQLITE_BUSY';
			if (!isBusy || stream.connection.inTransaction || waited >= busyTimeoutMs) throw error;
			// The statement that met the lock stays open on its connection.
			stream.reopen();
			await sleep(5);
		}
	}
}

async function runBatch(stream: HranaStream, { steps }: HranaBatch, busyTimeoutMs: number): Promise<object> {
	const results: (StatementResult | null)[] = [];
	const errors: ({ message: string; code: string } | null)[] = [];
	for (const { condition, stmt } of steps) {
		const index = results.push(null) - 1;
		errors.push(null);
		if (condition && !holds(condition, { stream, results, errors })) continue;
		try {
			results[index] = await execute(stream, stmt, busyTimeoutMs);
		} catch (error) {
			if (!(error instanceof StatementError)) throw error;
			errors[index] = { message: error.message, code: error.code };
		}
	}
	return { step_results: results, step_errors: errors };
}

function holds(condition: Condition, batch: { stream: HranaStream; results: unknown[]; errors: unknown[] }): boolean {
	switch (condition.type) {
		case 'ok':
			return batch.results[condition.step] !== null;
		case 'error':
			return batch.errors[condition.step] !== null;
		case 'not':
			return !holds(condition.cond, batch);
		case 'and':
			return condition.conds.every((each) => holds(each, batch));
		case 'or':
			return condition.conds.some((each) => holds(each, batch));
		case 'is_autocommit':
			return isAutocommit(batch.stream);
	}
}

function isAutocommit({ version, connection }: HranaStream): boolean {
	if (version < 3) throw new StreamError('The autocommit state is told from version 3 of the protocol on');
	return !connection.inTransaction;
}

function textOf(stream: HranaStream, { sql, sql_id: id }: { sql?: string; sql_id?: number }): string {
	const text = sql ?? stream.texts.get(id ?? -1);
	if (text === undefined) throw new StreamError('The SQL text is not stored');
	return text;
}
