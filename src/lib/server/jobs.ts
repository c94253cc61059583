import type { App } from './app.ts';
import { removeOldEntries } from './audit/service.ts';
import { removeEndedAttempts } from './auth/limits.ts';
import { removeExpiredSessions } from './auth/sessions.ts';
import type { Job } from './core/schedule.ts';
import { removeOldTombstones } from './senders/service.ts';
import { removeEndedPoolNames } from './pools/service.ts';

const minute = 60_000;

/** Every timed job, one line each. */
export const jobs = (app: App): Job[] => [
	{ name: 'auth.remove-expired-sessions', everyMs: 10 * minute, run: () => removeExpiredSessions(app) },
	{ name: 'auth.remove-ended-attempts', everyMs: 10 * minute, run: () => removeEndedAttempts(app) },
	{ name: 'senders.remove-old-tombstones', everyMs: 60 * minute, run: () => removeOldTombstones(app) },
	{ name: 'audit.remove-old-entries', everyMs: 60 * minute, run: () => removeOldEntries(app) },
	{ name: 'pools.remove-ended-names', everyMs: 60 * minute, run: () => removeEndedPoolNames(app) }
];
