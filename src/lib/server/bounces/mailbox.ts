import type { z } from 'zod';
import type { App } from '../app.ts';
import type { DbOrTransaction } from '../core/database.ts';
import { UserError } from '../core/errors.ts';
import { lateAfter, tidyWhole } from './housekeeping.ts';
import type * as inputs from './inputs.ts';
import { problemCode, problemOf, saveContents, saveProblem } from './mailbox-state.ts';
import { getBounce } from './service.ts';
import { countMailbox } from './tidy.ts';

/** What the last look found. */
export async function getMailbox(db: DbOrTransaction, id: string): Promise<z.infer<typeof inputs.mailbox>> {
	const { mailbox, quotaBytes, retentionDays } = await getBounce(db, id);
	return { id, ...mailbox, quotaBytes, retentionDays };
}

/** What one call may take; then the answer says that more is left. */
const emptyingMs = 15_000;

/**
 * Removes every message that lies in the mailbox at this moment; what comes in meanwhile stays.
 * @throws UserError mailbox-grew when it holds many more messages than the person was told of.
 */
export async function emptyMailbox(
	app: App,
	{ id, confirm }: z.infer<typeof inputs.emptyMailbox>,
	isLate = lateAfter(emptyingMs)
): Promise<z.infer<typeof inputs.emptied>> {
	await getBounce(app.db, id);
	const mailbox = { mailRoot: app.env.mailRoot, id };
	const until = app.clock();
	try {
		const found = await countMailbox(mailbox);
		await saveContents(app, id, found);
		if (found.messages > confirm + Math.max(10, confirm / 10)) throw grew(found.messages, confirm);
		const rule = { keptSince: until + 1, quotaBytes: Infinity };
		const { expired, contents, isUnfinished } = await tidyWhole(app, mailbox, { rule, isLate });
		await saveContents(app, id, contents);
		return {
			id,
			removed: expired.messages,
			removedBytes: expired.bytes,
			left: contents.messages,
			isFinished: !isUnfinished
		};
	} catch (error) {
		if (error instanceof UserError) throw error;
		const code = problemCode(error);
		await saveProblem(app, id, code);
		throw new UserError('PRECONDITION_FAILED', `The mailbox was not emptied. ${problemOf(code).message}`, {
			reason: `mailbox-${code}`
		});
	}
}

function grew(messages: number, confirm: number): UserError {
	const [now, told] = [messages, confirm].map((count) => count.toLocaleString('en'));
	return new UserError(
		'CONFLICT',
		`The mailbox holds ${now} messages by now, not ${told}. Nothing was removed. Look at the number and confirm again.`,
		{ reason: 'mailbox-grew', field: 'confirm' }
	);
}
