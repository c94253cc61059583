import { min } from 'drizzle-orm';
import type { App } from '../app.ts';
import { getLogProgress, getLogState } from '../mail-log/service.ts';
import { getSettings } from '../settings/service.ts';
import { feedbackEvents } from './tables.ts';

/** How the reader of KumoMTA's log is, and what it holds. */
export async function getFeedbackState(app: App) {
	const { logs } = await getSettings(app.db);
	const [state, progress, eventCount, [oldest]] = await Promise.all([
		getLogState(app.db),
		getLogProgress(app.db, logs.directory),
		app.db.$count(feedbackEvents),
		app.db.select({ at: min(feedbackEvents.at) }).from(feedbackEvents)
	]);
	const startedAt = progress.lastSegment === null ? undefined : segmentStart(progress.lastSegment.name);
	return {
		...state,
		...progress,
		directory: logs.directory,
		lagMs: state.state === 'behind' && startedAt !== undefined ? Math.max(0, app.clock() - startedAt) : null,
		eventCount,
		oldestEventAt: oldest?.at ?? null
	};
}

/** KumoMTA names a segment by the moment it began: UTC, `YYYYMMDD-HHMMSS`. */
function segmentStart(name: string): number | undefined {
	const parts = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)/.exec(name)?.slice(1).map(Number);
	if (parts === undefined) return undefined;
	const [year = 0, month = 1, ...rest] = parts;
	return Date.UTC(year, month - 1, ...rest);
}
