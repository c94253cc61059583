import { asc } from 'drizzle-orm';
import { users } from '../auth/tables.ts';
import { getBackupState } from '../backup/service.ts';
import type { Check } from './check.ts';
import { judgeBackup, judgeRehearsal } from './judge-backups.ts';

export const backupChecks: Check[] = [
	{
		id: 'backup',
		group: 'backup',
		title: 'Last backup',
		why: 'Without one a lost disk takes every domain, key and password with it.',
		async look({ db, clock }) {
			const [first] = await db.select({ at: users.createdAt }).from(users).orderBy(asc(users.createdAt)).limit(1);
			return judgeBackup(await getBackupState(db), first?.at ?? null, clock());
		}
	},
	{
		id: 'rehearsal',
		group: 'backup',
		title: 'Last rehearsal of a restore',
		why: 'A backup that nobody ever restored is a hope.',
		look: async ({ db, clock }) => judgeRehearsal(await getBackupState(db), clock())
	}
];
