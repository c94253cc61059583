import type { z } from 'zod';
import type { App } from '../app.ts';
import { UserError } from '../core/errors.ts';
import { tryLogin } from '../dovecot/service.ts';
import { getSettingsRow } from '../settings/service.ts';
import type * as inputs from './inputs.ts';
import { getBounce } from './service.ts';

/** Where mail programs find this server's mailboxes. */
export async function getConnection(app: App): Promise<z.infer<typeof inputs.connection>> {
	const { hostname } = await getSettingsRow(app.db);
	return { hostname, imapPort: app.env.imapPort, pop3Port: app.env.pop3Port };
}

/**
 * Connects to this machine's Dovecot as a mail program would, and signs in when a password is given. It is kept nowhere.
 * @throws UserError TOO_MANY_REQUESTS after 6 tries a minute for an account.
 */
export async function checkLogin(
	app: App,
	{ id, password }: z.infer<typeof inputs.checkLogin>
): Promise<z.infer<typeof inputs.loginCheck>> {
	const { address } = await getBounce(app.db, id);
	const retryAfterMs = app.budget.spend(`bounce account ${id}`, 'loginCheck');
	if (retryAfterMs > 0) throw tooManyTries(retryAfterMs);
	const { hostname } = await getSettingsRow(app.db);
	const stages = await tryLogin({ user: address, password }, { serverName: hostname, port: app.env.imapPort });
	return { id, ok: stages.every(({ status }) => status !== 'failed'), stages };
}

function tooManyTries(retryAfterMs: number): UserError {
	return new UserError(
		'TOO_MANY_REQUESTS',
		'The connection of this account was tried too often. Nothing was tried now. Wait a few seconds and try again.',
		{ reason: 'too-many-tries', retryAfterMs }
	);
}
