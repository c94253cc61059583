/** The tRPC codes that an operator's mistake, or the state of things, may answer with. */
export type UserErrorCode =
	| 'BAD_REQUEST'
	| 'UNAUTHORIZED'
	| 'FORBIDDEN'
	| 'NOT_FOUND'
	| 'CONFLICT'
	| 'PRECONDITION_FAILED'
	| 'PAYLOAD_TOO_LARGE'
	| 'TOO_MANY_REQUESTS'
	| 'TIMEOUT';

export interface UserErrorDetail {
	/** Permanent, kebab-case: programs branch on it. */
	reason?: string;
	/** Input path (`listeners.0.port`) of the field that causes it; the message then stands beside it. */
	field?: string;
	fieldErrors?: Record<string, string[]>;
	retryAfterMs?: number;
	problems?: unknown[];
}

/**
 * Something a person can fix. The message says what happened, what is true now, and what to do; it reaches the screen,
 * so it holds no secret, no SQL and no path outside the product's own.
 */
export class UserError extends Error {
	override name = 'UserError';
	readonly code: UserErrorCode;
	readonly detail: UserErrorDetail;

	constructor(code: UserErrorCode, message: string, detail: UserErrorDetail = {}) {
		super(message);
		this.code = code;
		this.detail = detail;
	}

	get fieldErrors(): Record<string, string[]> | undefined {
		return (
			this.detail.fieldErrors ?? (this.detail.field === undefined ? undefined : { [this.detail.field]: [this.message] })
		);
	}
}

export function notFound(what: string): UserError {
	return new UserError('NOT_FOUND', `This ${what} does not exist any more. Nothing was changed. Reload the page.`, {
		reason: `no-such-${what.replaceAll(' ', '-')}`
	});
}

export function versionMoved(what: string): UserError {
	return new UserError(
		'CONFLICT',
		`Somebody changed this ${what} after you opened it. Your change was not saved. Reload, look at the difference and try again.`,
		{
			reason: 'version-moved'
		}
	);
}

/**
 * The extended SQLite code (`SQLITE_CONSTRAINT_UNIQUE` …) behind an error of drizzle or libSQL, if there is one. A libSQL
 * server tells the primary code only (libsql-server, hrana/stmt.rs): there SQLite's own words name the constraint.
 */
export function sqliteCode(error: unknown): string | undefined {
	for (let each = error; each instanceof Error; each = each.cause) {
		const { extendedCode, code } = each as { extendedCode?: unknown; code?: unknown };
		if (typeof extendedCode === 'string') return extendedCode;
		if (code === 'SQLITE_CONSTRAINT') return constraintCode(each.message);
		if (typeof code === 'string' && code.startsWith('SQLITE_')) return code;
	}
	return undefined;
}

function constraintCode(message: string): string {
	const kind = /(?:^|: )(UNIQUE|FOREIGN KEY|CHECK|NOT NULL) constraint failed/.exec(message)?.[1];
	return kind === undefined ? 'SQLITE_CONSTRAINT' : `SQLITE_CONSTRAINT_${kind.replace(' ', '')}`;
}

/**
 * Runs a write and turns a violated constraint into the error its caller gives for it, so that uniqueness is decided by
 * the database and not by a look before the write.
 */
export async function withConstraint<T>(
	errors: { unique?: () => UserError; foreignKey?: () => UserError },
	write: () => Promise<T>
): Promise<T> {
	try {
		return await write();
	} catch (error) {
		const code = sqliteCode(error);
		if (errors.unique && (code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY'))
			throw errors.unique();
		if (errors.foreignKey && (code === 'SQLITE_CONSTRAINT_FOREIGNKEY' || code === 'SQLITE_CONSTRAINT_TRIGGER'))
			throw errors.foreignKey();
		throw error;
	}
}

/** No room is left on the disk, or the user's share of it is used up. SQLite takes back what it had begun. */
export function isDiskFull(error: unknown): boolean {
	for (let each: unknown = error; each instanceof Error; each = each.cause)
		if (['ENOSPC', 'EDQUOT', 'SQLITE_FULL'].includes(String((each as { code?: unknown }).code))) return true;
	return false;
}
