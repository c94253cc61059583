import { getSettingsRow } from '../settings/service.ts';
import type { ApplyRun } from './apply-run.ts';
import { postConfirmUntil, postReport, readMailbox } from './watch-mailbox.ts';
import type { WatchHooks } from './watch-step.ts';

/** Binds the watch of an apply to its row and to the settings. */
export async function watchHooksOf({ app, id, timer, stop }: ApplyRun): Promise<WatchHooks> {
	const { watchSeconds, confirmListeners } = await getSettingsRow(app.db);
	return {
		seconds: watchSeconds,
		confirmListeners,
		metrics: app.metrics,
		timer,
		stop: stop.signal,
		readMailbox: () => readMailbox(app.db, id),
		// The report is for whoever follows; the watch goes on without it.
		post: (report) =>
			postReport(app.db, id, report).catch((error: unknown) =>
				app.log.warn('the report of a watch was not kept', { applyId: id, error })
			),
		postConfirmUntil: (at) => postConfirmUntil(app.db, id, at)
	};
}
