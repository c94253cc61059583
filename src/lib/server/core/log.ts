import type { Env } from './env.ts';

type Fields = Record<string, unknown>;
const levels = ['debug', 'info', 'warn', 'error'] as const;
type Level = (typeof levels)[number];

/** One JSON object a line on standard error. `with` returns a logger that adds fields to every line. */
export interface Log {
	debug(event: string, fields?: Fields): void;
	info(event: string, fields?: Fields): void;
	warn(event: string, fields?: Fields): void;
	error(event: string, fields?: Fields): void;
	with(fields: Fields): Log;
}

export function createLog(
	level: Env['logLevel'],
	write: (line: string) => void = writeToStderr,
	base: Fields = {}
): Log {
	const least = levels.indexOf(level);
	const at =
		(lineLevel: Level) =>
		(event: string, fields: Fields = {}) => {
			if (levels.indexOf(lineLevel) < least) return;
			write(JSON.stringify({ at: new Date().toISOString(), level: lineLevel, event, ...base, ...plain(fields) }));
		};
	return {
		debug: at('debug'),
		info: at('info'),
		warn: at('warn'),
		error: at('error'),
		with: (fields) => createLog(level, write, { ...base, ...plain(fields) })
	};
}

function writeToStderr(line: string): void {
	process.stderr.write(line + '\n');
}

function plain(fields: Fields): Fields {
	return Object.fromEntries(
		Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? describe(value) : value])
	);
}

/**
 * What a log may say about an error. The message of a database error holds every parameter of the statement, passwords
 * and hashes included, so only its code is kept.
 */
function describe(error: Error): Fields {
	const code = findCode(error);
	if (holdsStatement(error)) return { name: error.name, code, stack: frames(error) };
	return { name: error.name, code, message: error.message, stack: frames(error) };
}

/** Drizzle's error has no name of its own and its message is repeated by whatever wraps it. */
function holdsStatement(error: Error): boolean {
	for (let each: unknown = error; each instanceof Error; each = each.cause) {
		if (each.name === 'DrizzleQueryError' || /^Libsql(?:Batch)?Error$/.test(each.name) || 'params' in each) return true;
		if (each.message.startsWith('Failed query')) return true;
	}
	return false;
}

function findCode(error: Error): string | undefined {
	for (let each: unknown = error; each instanceof Error; each = each.cause) {
		const { extendedCode, code } = each as { extendedCode?: unknown; code?: unknown };
		if (typeof extendedCode === 'string') return extendedCode;
		if (typeof code === 'string') return code;
	}
	return undefined;
}

function frames(error: Error): string[] {
	return (error.stack ?? '')
		.split('\n')
		.filter((line) => /^\s+at /.test(line))
		.map((line) => line.trim())
		.slice(0, 12);
}
