import { counted } from '../../shared/counted.ts';
import type { Reach } from '../host/network.ts';
import type { Liveness } from '../kumod/client.ts';
import type { LogState } from '../mail-log/service.ts';
import { failed, ok, unknown, warning } from './check.ts';
import type { Finding } from './check.ts';

const start = 'systemctl status kumomta; journalctl -u kumomta -n 50';

export function judgeRunning(liveness: Liveness, isInstalled: boolean): Finding {
	if (liveness.state === 'alive') return ok('KumoMTA runs and is ready to take mail.');
	if (liveness.state === 'not-ready')
		return failed(`KumoMTA runs, but is not ready (${liveness.detail}).`, {
			mend: 'It refuses mail while its spool is being read or its disk is full. Look at its log.',
			command: start
		});
	if (isInstalled)
		return failed('KumoMTA does not answer: no mail is taken or sent.', {
			mend: 'Start it, and look at its log.',
			command: start
		});
	return warning('KumoMTA is not installed here, and none answers: policies are made and checked, no mail is sent.', {
		mend: 'Install KumoMTA 2026.03.04 or newer as its own manual says, then apply.'
	});
}

export interface ApiFacts {
	/** Host of KUMOD_API. */
	host: string;
	port: number;
	/** Each address of this machine beside loopback. */
	tried: { address: string; reach: Reach }[];
}

/** KumoMTA treats whoever reaches its API from a trusted address as an administrator. */
export function judgeApiReach({ host, port, tried }: ApiFacts): Finding {
	const open = tried.filter(({ reach }) => reach === 'open');
	if (open.length > 0)
		return failed(`Port ${port}, where KumoMTA’s HTTP API is, takes connections from outside this machine.`, {
			mend: 'Apply the panel’s policy: it listens on 127.0.0.1 only. Until then close the port in the firewall.',
			href: '/policy/review',
			command: `ss -tlnp 'sport = :${port}'`,
			details: open.map(({ address }) => `${address} port ${port} answers.`)
		});
	if (!/^(?:127(?:\.\d{1,3}){3}|localhost|\[?::1\]?)$/.test(host))
		return warning(`The panel speaks to KumoMTA’s HTTP API at ${host}, over the network.`, {
			mend: 'Run the panel on the machine of KumoMTA, or let a tunnel carry this connection.'
		});
	if (tried.length === 0) return unknown('This machine has no address beside loopback to try it from.');
	return ok(`KumoMTA’s HTTP API cannot be reached on any address of this machine beside loopback.`, {
		details: tried.map(
			({ address, reach }) => `${address} port ${port}: ${reach === 'closed' ? 'refused' : 'no answer'}.`
		)
	});
}

export function judgeApiAccess(httpApi: 'trusted' | 'credential'): Finding {
	if (httpApi === 'credential')
		return ok('KumoMTA’s HTTP API asks for the panel’s own credential. (So says the setting; an apply makes it live.)');
	return warning('Every program and user of this machine can command KumoMTA: its HTTP API trusts loopback.', {
		mend: 'That is how KumoMTA comes, and kcli needs it. Where others use this machine, choose “credential” in Settings and apply.',
		href: '/settings#field=httpApi'
	});
}

export interface ApplyFacts {
	outcome: 'running' | 'applied' | 'unchanged' | 'refused' | 'failed' | 'reverted' | 'interrupted';
	startedAt: number;
	revision: number | null;
}

const longApplyMs = 60 * 60_000;

/** The last apply, and whether it is where it should be. */
export function judgeApply(last: ApplyFacts | undefined, now: number): Finding {
	const href = '/policy/revisions';
	if (last === undefined)
		return warning('Nothing of this panel is live yet: KumoMTA runs its own policy.', {
			mend: 'Set up what is missing, then review and apply.',
			href: '/policy/review'
		});
	const name = last.revision === null ? 'The last apply' : `The last apply, of revision ${last.revision},`;
	const mend = 'Look at its steps, mend what they name, and apply again.';
	if (last.outcome === 'running' && now - last.startedAt > longApplyMs)
		return failed(`${name} has not come to an end for more than an hour.`, { mend, href });
	if (last.outcome === 'running') return ok(`${name} is under way or being watched.`);
	if (last.outcome === 'applied' || last.outcome === 'unchanged') return ok(`${name} went well.`);
	const words = {
		refused: 'was refused before it touched anything',
		failed: 'failed; what was live before is still live',
		reverted: 'was taken back; what was live before is live again',
		interrupted: 'was cut off'
	};
	return warning(`${name} ${words[last.outcome]}.`, { mend, href });
}

const staleMs = 10 * 60_000;

export function judgeLog({ state, code, sinceAt, readAt }: LogState, isInstalled: boolean, now: number): Finding {
	const where = { href: '/feedback' };
	const rights = {
		mend: 'Let the panel read KumoMTA’s log segments, and only those.',
		command: 'setfacl -R -m u:kumomta-ui:rX -m d:u:kumomta-ui:rX /var/log/kumomta'
	};
	if (!isInstalled && (state === 'absent' || state === 'never'))
		return unknown('There is no log to read: KumoMTA is not installed here.');
	if (state === 'unreadable')
		return failed(`KumoMTA’s log cannot be read (${code ?? 'no reason given'}): bounces are not seen.`, {
			...rights,
			...where
		});
	if (state === 'absent')
		return warning('KumoMTA’s log directory is not there: bounces and complaints are not seen.', {
			mend: 'It is made when KumoMTA writes its first record. Look at the directory in Settings if mail was sent already.',
			href: '/settings#field=logs.directory'
		});
	if (state === 'never')
		return unknown('The log was not read yet.', { mend: 'It is read within seconds of the panel’s start.' });
	if (state === 'behind' && sinceAt !== null && now - sinceAt > 6 * staleMs)
		return warning('The reader of KumoMTA’s log has been behind for more than an hour.', {
			mend: 'It catches up by itself; a very busy or slow machine takes its time.',
			...where
		});
	if (readAt !== null && now - readAt > staleMs)
		return warning('KumoMTA’s log was not read for more than ten minutes.', {
			mend: 'Look whether the panel runs.',
			command: 'systemctl status kumomta-ui'
		});
	return ok('KumoMTA’s log is being read: bounces and complaints are counted.');
}

export interface SuppressionFacts {
	state: 'unused' | 'current' | 'waiting' | 'building' | 'failed';
	waiting: number;
	failure: { message: string } | null;
}

export function judgeSuppression({ state, waiting, failure }: SuppressionFacts): Finding {
	if (state === 'unused') return ok('No policy was applied yet, so nobody reads the suppression list.');
	if (state === 'failed')
		return failed('The files of the suppression list could not be written: who was added lately is not refused.', {
			mend: failure?.message ?? 'Ask for new files on the page of the suppression list.',
			href: '/suppression'
		});
	if (state === 'current') return ok('KumoMTA refuses whom the suppression list names.');
	return ok(`The suppression list is being written for KumoMTA (${counted(waiting, 'change')} on the way).`);
}

export interface DovecotFacts {
	accounts: number;
	isInstalled: boolean;
	/** The first stage of a connection that did not work; undefined when all did. */
	failure: string | undefined;
}

export function judgeDovecot({ accounts, isInstalled, failure }: DovecotFacts): Finding {
	if (accounts === 0) return ok('There are no bounce accounts, so no mailbox has to be served.');
	const many = counted(accounts, 'bounce account');
	if (!isInstalled)
		return warning(`Dovecot is not installed: nobody can read the mail of ${many}.`, {
			mend: 'Mail is delivered into the mailboxes all the same. Install Dovecot 2.3 and apply again.',
			command: 'apt install dovecot-imapd dovecot-pop3d'
		});
	if (failure !== undefined)
		return failed(`Dovecot does not serve ${many}: ${failure}`, {
			mend: 'Look whether it runs, and at its log.',
			command: 'systemctl status dovecot; journalctl -u dovecot -n 50'
		});
	return ok(`Dovecot serves ${many} over IMAP with TLS.`);
}
