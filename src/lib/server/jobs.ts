import type { App } from './app.ts';
import { removeOldEntries } from './audit/service.ts';
import { removeEndedAttempts } from './auth/limits.ts';
import { removeExpiredSessions } from './auth/sessions.ts';
import { keepHouse } from './bounces/housekeeping.ts';
import type { Job } from './core/schedule.ts';
import { feedbackTaker, removeOldFeedback } from './feedback/service.ts';
import { checkHealth } from './health/service.ts';
import { removeExpiredImports } from './imports/service.ts';
import { removeOldTombstones } from './senders/service.ts';
import { createLogTail } from './mail-log/service.ts';
import { makeRequestedKeys } from './dkim/make-requested-keys.ts';
import { endRetirements } from './dkim/service.ts';
import { followApplier } from './policy/applier/keep.ts';
import { pollMetrics } from './policy/poll-metrics.ts';
import { recoverApplies } from './policy/recover.ts';
import { refreshAgain } from './policy/refresh-again.ts';
import { removeOldRecords } from './policy/retention.ts';
import { removeEndedPoolNames } from './pools/service.ts';
import { removeEnded } from './suppression/housekeeping.ts';
import { keepFiles } from './suppression/keep-files.ts';

const minute = 60_000;

/** Every timed job, one line each. */
export const jobs = (app: App): Job[] => [
	{ name: 'auth.remove-expired-sessions', everyMs: 10 * minute, run: () => removeExpiredSessions(app) },
	{ name: 'auth.remove-ended-attempts', everyMs: 10 * minute, run: () => removeEndedAttempts(app) },
	{ name: 'imports.remove-expired', everyMs: 10 * minute, run: () => removeExpiredImports(app) },
	{ name: 'senders.remove-old-tombstones', everyMs: 60 * minute, run: () => removeOldTombstones(app) },
	{ name: 'mail-log.read', everyMs: 10_000, atStart: true, run: createLogTail(app, feedbackTaker(app)).turn },
	{ name: 'feedback.remove-old', everyMs: minute, run: () => removeOldFeedback(app) },
	{ name: 'audit.remove-old-entries', everyMs: 60 * minute, run: () => removeOldEntries(app) },
	{ name: 'dkim.make-requested-keys', everyMs: 2000, run: () => makeRequestedKeys(app) },
	{ name: 'dkim.end-retirements', everyMs: minute, run: () => endRetirements(app) },
	{ name: 'bounces.housekeeping', everyMs: minute, atStart: true, run: () => keepHouse(app) },
	{ name: 'suppression.remove-ended', everyMs: minute, atStart: true, run: () => removeEnded(app) },
	{ name: 'suppression.keep-files', everyMs: 10_000, atStart: true, run: () => keepFiles(app) },
	{ name: 'policy.follow-applier', everyMs: minute / 2, atStart: true, run: () => followApplier(app) },
	{ name: 'policy.recover', everyMs: minute, atStart: true, run: () => recoverApplies(app) },
	{ name: 'policy.refresh-again', everyMs: 5000, run: () => refreshAgain(app) },
	{ name: 'policy.poll-metrics', everyMs: 10_000, atStart: true, run: () => pollMetrics(app) },
	{ name: 'policy.remove-old-records', everyMs: 60 * minute, run: () => removeOldRecords(app) },
	{ name: 'health.run', everyMs: 15 * minute, atStart: true, run: () => checkHealth(app) },
	{ name: 'pools.remove-ended-names', everyMs: 60 * minute, run: () => removeEndedPoolNames(app) }
];
