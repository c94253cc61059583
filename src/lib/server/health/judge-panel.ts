import { counted } from '../../shared/counted.ts';
import type { SeenCertificate } from '../host/network.ts';
import { failed, ok, unknown, warning } from './check.ts';
import type { Finding } from './check.ts';

export const dayMs = 86_400_000;

const isLoopback = (host: string) => /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/.test(host);
const environment = '/etc/kumomta-ui/local.env';

export interface HttpsFacts {
	origin: string;
	/** Undefined when no TLS connection came about, or none was tried. */
	certificate?: SeenCertificate | undefined;
}

/** Whether browsers reach the panel encrypted, and for how long its certificate is still good. */
export function judgeHttps({ origin, certificate }: HttpsFacts, now: number): Finding {
	const { protocol, hostname } = new URL(origin);
	if (protocol === 'http:') return judgePlain(origin, hostname);
	const renew = { mend: 'Renew it and reload nginx.', command: 'certbot renew && systemctl reload nginx' };
	if (certificate === undefined)
		return unknown(`Browsers are told to use ${origin}, but no TLS connection to it came about from this server.`, {
			mend: 'Look whether nginx runs and whether the name leads to this server.',
			command: 'systemctl status nginx'
		});
	const days = Math.floor((certificate.notAfterAt - now) / dayMs);
	if (days < 0) return failed(`The certificate of ${origin} expired ${counted(-days, 'day')} ago.`, renew);
	const details = [`Names in it: ${certificate.names.slice(0, 10).join(', ') || 'none'}.`];
	if (certificate.distrust !== null)
		return warning(`Browsers do not trust the certificate of ${origin} (${certificate.distrust}).`, {
			mend: 'Get one from an authority that browsers know, for this very name.',
			command: `certbot certonly --webroot -w /var/www/kumomta-ui -d ${hostname}`,
			details
		});
	if (days < 14) return warning(`The certificate of ${origin} ends in ${counted(days, 'day')}.`, { ...renew, details });
	return ok(`The panel is served over HTTPS; its certificate is good for ${counted(days, 'day')}.`, { details });
}

function judgePlain(origin: string, hostname: string): Finding {
	if (isLoopback(hostname))
		return ok(`The panel is reached on this machine itself (${origin}), or through an ssh tunnel.`);
	return failed(`The panel is reached without HTTPS, at ${origin}: passwords and tokens travel in the clear.`, {
		mend: 'Put nginx with TLS in front and set ORIGIN to the https address. docs/operate/nginx.md says how.',
		command: `deploy/install.sh --domain ${hostname} --email you@example.net`
	});
}

export interface ExposureFacts {
	host: string;
	port: number;
	origin: string;
	trustedProxies: string[];
}

/** The panel's own port belongs to the proxy alone. */
export function judgeExposure({ host, port }: ExposureFacts): Finding {
	if (isLoopback(host)) return ok(`The panel’s own port ${port} listens on ${host} only.`);
	return failed(`The panel’s own port ${port} listens on ${host}: it can be reached past the proxy.`, {
		mend: `Set HOST=127.0.0.1 in ${environment} and start the panel again. In a container, publish the port on loopback only.`,
		command: 'systemctl restart kumomta-ui'
	});
}

/** Without the proxy's address every visitor is the proxy, and one can use up the tries of all. */
export function judgeProxy({ origin, trustedProxies }: ExposureFacts): Finding {
	if (new URL(origin).protocol === 'http:' && trustedProxies.length === 0)
		return ok('No proxy stands before the panel, and none is believed.');
	if (trustedProxies.length > 0)
		return ok(`Client addresses are taken from ${trustedProxies.join(', ')} only, and from nobody else.`);
	return warning('A proxy serves the panel, but TRUSTED_PROXY is not set: all visitors count as one.', {
		mend: `Set TRUSTED_PROXY to the proxy’s address (127.0.0.1 for nginx on this machine) in ${environment} and start the panel again.`,
		command: 'systemctl restart kumomta-ui'
	});
}

export interface Account {
	email: string;
	passwordChangedAt: number;
	/** The cost that bcrypt was told; null when the hash does not say. */
	bcryptCost: number | null;
}

const oldPasswordDays = 365;

/** Of a password only its age and how it is stored are known: that it was strong was checked when it was set. */
export function judgePasswords(accounts: Account[], now: number): Finding {
	if (accounts.length === 0)
		return warning('There is no account yet: whoever can read the setup code makes it.', {
			mend: 'Open the panel and make the account.',
			command: 'cat /var/lib/kumomta-ui/setup-code',
			href: '/setup'
		});
	const days = (at: number) => Math.floor((now - at) / dayMs);
	const details = accounts.map(
		({ email, passwordChangedAt, bcryptCost }) =>
			`${email}: set ${counted(days(passwordChangedAt), 'day')} ago, bcrypt cost ${bcryptCost ?? 'unknown'}.`
	);
	const change = { mend: 'Set a new one under your name, top right.', href: '/account', details };
	if (accounts.some(({ bcryptCost }) => bcryptCost === null || bcryptCost < 10))
		return failed('A password is stored weaker than bcrypt with cost 10.', change);
	const old = accounts.filter((each) => days(each.passwordChangedAt) > oldPasswordDays).length;
	if (old > 0) return warning(`${counted(old, 'password')} ${old === 1 ? 'is' : 'are'} older than a year.`, change);
	return ok('Passwords were set within a year; each had at least 12 characters and was none of the common ones.', {
		details
	});
}
