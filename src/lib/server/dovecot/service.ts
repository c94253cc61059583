import type { Secret } from '../core/secret.ts';
import { revisionOfConf } from './config.ts';
import { tryImapLogin } from './imap-login.ts';
import type { LoginStage } from './imap-login.ts';

/** Dovecot runs on this machine: the panel asks it on loopback. */
const ownAddress = '127.0.0.1';

/** Whether an account can be signed in to, stage by stage, as a mail program would find it. */
export function tryLogin(
	account: { user: string; password?: Secret | undefined },
	{ serverName, port }: { serverName: string | null; port: number }
): Promise<LoginStage[]> {
	return tryImapLogin({ ...account, serverName, address: ownAddress, port, timeoutMs: 10_000 });
}

export { prepareMailboxes } from './mailboxes.ts';
export type { Login } from './passwd.ts';
export { probeDovecot } from './probe.ts';
export { dovecotPlace, dovecotRoots } from './roots.ts';
export type { DovecotEnv, DovecotPlace } from './roots.ts';
export { findDovecotDrift, removeOldDovecot, settleDovecot, withdrawDovecot } from './settle.ts';
export { prepareDovecot } from './stage.ts';
export type { DovecotRevision, StagedDovecot } from './stage.ts';
export { putDovecotBack, reloadDovecot, swapDovecot } from './swap.ts';
export { readVersion as readDovecotVersion } from './version.ts';

/** Whether the text of a dovecot.conf is one that the panel made. */
export const isOurConf = (text: string | undefined) => revisionOfConf(text) !== undefined;
