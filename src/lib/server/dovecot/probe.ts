import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hashBcrypt } from '../core/bcrypt.ts';
import { Secret } from '../core/secret.ts';
import { stagedDirectory } from './config.ts';
import { tryImapLogin } from './imap-login.ts';
import type { LoginStage } from './imap-login.ts';
import { prepareMaildir, prepareMailRoot } from './mailboxes.ts';
import { lineOf, localOnly } from './passwd.ts';
import { dovecotAccess } from './roots.ts';
import type { DovecotPlace } from './roots.ts';
import type { DovecotResult, StagedDovecot } from './stage.ts';

/** No account's id: it begins with a dot. */
const probeMailbox = '.login-probe';
const quota = 1_048_576;

/**
 * Signs in to the running Dovecot over TLS, as an account that exists for this one look: its password is random and
 * never written down, it is taken from this machine only, and its passwd-file belongs to this revision, so that only a
 * Dovecot that runs this revision can know it.
 */
export async function probeDovecot(place: DovecotPlace, staged: StagedDovecot): Promise<DovecotResult> {
	if (!staged.hasTls) return { status: 'skipped', output: 'Dovecot listens nowhere, so nobody signed in.' };
	const { host, roots, mailRoot } = place;
	const passwd = join(stagedDirectory(roots, staged.revision), 'probe');
	const access = dovecotAccess(host).passwd;
	const user = `probe.${randomBytes(8).toString('hex')}@kumomta-ui.invalid`;
	const password = new Secret(randomBytes(24).toString('base64url'));
	const home = join(mailRoot, probeMailbox);
	await prepareMailRoot(host, mailRoot);
	await prepareMaildir(host, home);
	const line = lineOf({ address: user, hash: await hashBcrypt(password, 10), quota }, home, staged.mailUser, localOnly);
	try {
		await host.files.replaceFile(passwd, line, access);
		await host.faultPoint('dovecot.probe-account');
		return inWords(await signInPatiently(place, { user, password }));
	} finally {
		await host.files.replaceFile(passwd, '', access);
	}
}

/**
 * A reload takes a moment, in which the old processes still answer. One answer may take 17 s: Dovecot delays the logins of
 * an address that failed often, right ones too, and this machine's own programs share one.
 */
async function signInPatiently(
	{ ports, patience }: DovecotPlace,
	account: { user: string; password: Secret }
): Promise<LoginStage[]> {
	const until = performance.now() + patience.loginMs;
	const target = { ...account, address: '127.0.0.1', port: ports.imap, serverName: null, timeoutMs: 25_000 };
	for (;;) {
		await sleep(patience.pauseMs);
		const stages = await tryImapLogin(target);
		if (stages.every(({ status }) => status === 'ok') || performance.now() >= until) return stages;
	}
}

function inWords(stages: LoginStage[]): DovecotResult {
	const failed = stages.find(({ status }) => status === 'failed');
	if (failed === undefined)
		return {
			status: 'ok',
			output: 'A real login over TLS works: an account of this revision signed in and opened its inbox.'
		};
	const seen = stages.filter(({ status }) => status !== 'skipped').map(({ name, detail }) => `${name}: ${detail}`);
	return { status: 'failed', output: `Nobody can sign in to Dovecot.\n${seen.join('\n')}` };
}
