import { eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import type { DbOrTransaction } from '../core/database.ts';
import { logReader } from './tables.ts';

export interface LogState {
	/** `never`: no turn yet. `behind`: reading, and more is waiting than one turn takes. */
	state: 'never' | 'reading' | 'behind' | 'absent' | 'unreadable';
	/** The system's code while the log cannot be read, `EACCES` for instance. */
	code: string | null;
	sinceAt: number | null;
	/** To within a minute. */
	readAt: number | null;
}

export async function getLogState(db: DbOrTransaction): Promise<LogState> {
	const [row] = await db.select().from(logReader).where(eq(logReader.id, 1)).limit(1);
	if (row === undefined) return { state: 'never', code: null, sinceAt: null, readAt: null };
	const { state, code, sinceAt, readAt } = row;
	return { state, code, sinceAt, readAt };
}

const rewrittenMs = 60_000;

/** Writes the state when it is another, and at least each minute; a change is logged, the same state is not. */
export async function writeLogState(
	app: App,
	seen: { directory: string; state: Exclude<LogState['state'], 'never'>; code: string | null }
): Promise<void> {
	const now = app.clock();
	const [row] = await app.db.select().from(logReader).where(eq(logReader.id, 1)).limit(1);
	const isSame = row?.directory === seen.directory && row.state === seen.state && row.code === seen.code;
	if (isSame && now - row.readAt < rewrittenMs) return;
	const next = { id: 1, ...seen, sinceAt: isSame ? row.sinceAt : now, readAt: now };
	await app.db.insert(logReader).values(next).onConflictDoUpdate({ target: logReader.id, set: next });
	if (isSame) return;
	const isRead = seen.state === 'reading' || seen.state === 'behind';
	app.log[isRead ? 'info' : 'warn']('log of KumoMTA', { ...seen });
}
