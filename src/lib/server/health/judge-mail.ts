import { counted } from '../../shared/counted.ts';
import type { SeenCertificate } from '../host/network.ts';
import type { RelayTrial } from '../kumod/relay-trial.ts';
import { failed, ok, unknown, warning } from './check.ts';
import type { Finding } from './check.ts';
import { dayMs } from './judge-panel.ts';

export interface ListenerTrial {
	address: string;
	port: number;
	purpose: 'inbound' | 'submission' | 'relay';
	/** `loopback`: nobody outside reaches it. `no-address`: none of this machine's addresses can try it. `trusted`: the address is a relay host. */
	skipped?: 'loopback' | 'no-address' | 'trusted';
	from?: string;
	trial?: RelayTrial;
}

const notFromOutside = 'Tried from this machine’s own address; a test from outside may see more, or less.';

/** An open relay takes mail from strangers to strangers: within hours it sends spam, and every blocklist has it. */
export function judgeRelay(trials: ListenerTrial[]): Finding {
	const details = [...trials.map(line), notFromOutside];
	const open = trials.filter(({ trial }) => trial?.result === 'accepted');
	if (open.length > 0)
		return failed(`${counted(open.length, 'listener')} took a stranger’s mail for a stranger: this is an open relay.`, {
			mend: 'Apply the panel’s policy, which refuses that, and look at the relay hosts. Until then close the port.',
			href: '/settings#field=relayHosts',
			details
		});
	const answered = trials.filter(({ trial }) => trial !== undefined && trial.result !== 'failed');
	const undecided = trials.filter(({ trial }) => trial?.result === 'deferred' || trial?.result === 'failed');
	if (answered.length === 0)
		return unknown('No listener could be tried.', { mend: 'Run this check again when KumoMTA runs.', details });
	if (undecided.length > 0)
		return unknown(`${counted(undecided.length, 'listener')} decided nothing; the others refuse strangers.`, {
			mend: 'Run this check again in a few minutes.',
			details
		});
	return ok('Every listener that was tried refuses mail from strangers to strangers.', { details });
}

function line({ address, port, purpose, skipped, from, trial }: ListenerTrial): string {
	const name = `${address} port ${port} (${purpose})`;
	if (skipped === 'loopback') return `${name}: not tried, only this machine reaches it.`;
	if (skipped === 'no-address') return `${name}: not tried, this machine has no address to try it from.`;
	if (skipped === 'trusted') return `${name}: not tried, this machine’s own address is one of the relay hosts.`;
	if (trial === undefined) return `${name}: not tried.`;
	if (trial.result === 'failed') return `${name} from ${from}: no conversation came about: ${trial.detail}.`;
	const what = { accepted: 'TAKEN', refused: 'refused', deferred: 'put off' }[trial.result];
	return `${name} from ${from}: ${what} at ${trial.at}: ${trial.reply}`;
}

export interface MailCertificateFacts {
	hostname: string | null;
	/** Behind STARTTLS of each submission listener that could be tried. */
	seen: { address: string; port: number; certificate: SeenCertificate | undefined }[];
}

/** The certificate that mail programs see on submission. */
export function judgeMailCertificate({ hostname, seen }: MailCertificateFacts, now: number): Finding {
	const shown = seen.flatMap(({ certificate, ...each }) =>
		certificate === undefined ? [] : [{ ...each, certificate }]
	);
	const [first] = [...shown].sort((a, b) => a.certificate.notAfterAt - b.certificate.notAfterAt);
	if (first === undefined)
		return unknown('No submission listener showed a certificate.', { mend: 'Run this check again when KumoMTA runs.' });
	const { certificate, address, port } = first;
	const days = Math.floor((certificate.notAfterAt - now) / dayMs);
	const where = `${address} port ${port}`;
	const details = [`Names in it: ${certificate.names.slice(0, 10).join(', ') || 'none'}.`];
	const renew = { mend: 'Renew it, then apply again.', command: 'certbot renew', href: '/settings#field=tls', details };
	if (days < 0) return failed(`The certificate on ${where} has expired: mail programs refuse to send.`, renew);
	if (certificate.distrust !== null)
		return warning(`Mail programs do not trust the certificate on ${where} (${certificate.distrust}).`, {
			mend: 'Choose a certificate from an authority in Settings, then apply.',
			href: '/settings#field=tls',
			details
		});
	if (hostname !== null && !certificate.names.some((name) => matches(name, hostname)))
		return warning(`The certificate on ${where} does not name ${hostname}.`, {
			...renew,
			mend: 'Get one for that name, then apply.'
		});
	if (days < 14) return warning(`The certificate on ${where} ends in ${counted(days, 'day')}.`, renew);
	return ok(`The certificate that mail programs see is good for ${counted(days, 'day')}.`, { details });
}

/** RFC 6125 6.4.3: a wildcard stands for the whole leftmost label. */
const matches = (name: string, hostname: string) =>
	name === hostname || (name.startsWith('*.') && hostname.slice(hostname.indexOf('.')) === name.slice(1));

export interface SourceNames {
	address: string;
	ehloDomain: string;
	/** Null: the address that the world sees is not known. */
	reverse: { status: 'ok' | 'missing' | 'mismatch' | 'unknown'; found: string[]; advice: string } | null;
}

/** Forward-confirmed reverse names: RFC 8601 2.7.3; Gmail and others refuse mail without. */
export function judgeReverse(sources: SourceNames[]): Finding {
	if (sources.length === 0)
		return unknown('There is no source yet.', { mend: 'Add the address that mail leaves from.', href: '/sources' });
	const details = sources.map(({ address, ehloDomain, reverse }) => {
		if (reverse === null) return `${address}: a private address, and no public one is named for it.`;
		if (reverse.status === 'ok') return `${address}: ${ehloDomain}, and back.`;
		const found = reverse.found.length === 0 ? '' : ` Found: ${reverse.found.join(', ')}.`;
		return `${address}: ${reverse.advice}${found}`;
	});
	const of = (status: string) => sources.filter(({ reverse }) => reverse?.status === status).length;
	const wrong = of('missing') + of('mismatch');
	const mend = 'Whoever gave you the address sets its reverse name (PTR) to the name that the source greets with.';
	if (wrong > 0)
		return failed(`${counted(wrong, 'source')} of ${sources.length} has no reverse name that leads back to it.`, {
			mend,
			href: '/sources',
			details
		});
	const hidden = sources.filter(({ reverse }) => reverse === null).length;
	if (hidden > 0)
		return warning(`The public address of ${counted(hidden, 'source')} is not known, so its name was not looked up.`, {
			mend: 'Enter the public address of the source.',
			href: '/sources',
			details
		});
	if (of('unknown') > 0)
		return unknown(`The names of ${counted(of('unknown'), 'source')} could not be looked up.`, {
			mend: 'Run this check again; if it stays so, look at the resolvers in Settings.',
			href: '/settings#field=resolvers',
			details
		});
	return ok(`${counted(sources.length, 'source')} with a reverse name that leads back to it.`, { details });
}
