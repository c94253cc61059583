import { and, desc, eq, ne } from 'drizzle-orm';
import { z } from 'zod';
import { auditEntries } from '../audit/tables.ts';
import type { DbOrTransaction } from '../core/database.ts';

/** What this panel knows of its backups: the audit log says so, in which the command line writes each one down. */
export interface BackupState {
	/** When the newest was made; null: none that is remembered. */
	lastAt: number | null;
	protection: 'none' | 'passphrase' | 'recipient' | null;
	/** When one failed last. */
	failedAt: number | null;
	/** When a restore was rehearsed last, and went well. */
	rehearsedAt: number | null;
}

const wished = z.object({ protection: z.enum(['none', 'passphrase', 'recipient']) });

export async function getBackupState(db: DbOrTransaction): Promise<BackupState> {
	const [made, failed, rehearsed] = await Promise.all([
		newest(db, 'backup.create', 'ok'),
		newest(db, 'backup.create', 'failed'),
		newest(db, 'backup.verify', 'ok')
	]);
	const parsed = wished.safeParse(made?.input);
	return {
		lastAt: made?.at ?? null,
		protection: parsed.success ? parsed.data.protection : null,
		failedAt: failed?.at ?? null,
		rehearsedAt: rehearsed?.at ?? null
	};
}

/** A row that is still `started` is a backup under way, or one that was cut off: it counts as neither. */
async function newest(db: DbOrTransaction, action: string, end: 'ok' | 'failed') {
	const { at, input, outcome, id } = auditEntries;
	const ended = end === 'ok' ? eq(outcome, 'ok') : and(ne(outcome, 'ok'), ne(outcome, 'started'));
	const [row] = await db
		.select({ at, input })
		.from(auditEntries)
		.where(and(eq(auditEntries.action, action), ended))
		.orderBy(desc(id))
		.limit(1);
	return row;
}
