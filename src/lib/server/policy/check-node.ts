import { counted } from '../../shared/counted.ts';
import { checkRelayHosts } from './check-relay.ts';
import type { PolicyHead, PolicySettings } from './input.ts';
import { defaultListeners } from './node.ts';
import { problem } from './problem.ts';
import type { Problem } from './problem.ts';

/** What was seen on the machine; what is absent was not looked at, and nothing is said about it. */
export interface Facts {
	tls?: TlsFacts;
	/** Addresses of this machine's interfaces. */
	addresses?: string[];
}

export interface TlsFacts {
	/** Certificate and key are there, regular, and KumoMTA may read them. */
	readable: boolean;
	keyMatches: boolean;
	notAfterAt: number;
	/** Subject alternative names; a wildcard stands for one label. */
	names: string[];
}

type Listener = (typeof defaultListeners)[number];
type NodeProblem = [severity: Problem['severity'], code: string, message: string, field: string];

const report = ([severity, code, message, field]: NodeProblem): Problem =>
	problem({ severity, scope: 'node', code, message, field });

/** Checks of settings, by themselves. @param now milliseconds UTC, for the dates of the certificate. */
export function checkNode(
	input: PolicyHead,
	{ facts, now, senderCount }: { facts: Facts; now: number; senderCount: number }
): Problem[] {
	const { settings } = input;
	return [
		...checkNames(input, senderCount).map(report),
		...checkListeners(settings.listeners ?? defaultListeners).map(report),
		...checkPurposes(settings).map(report),
		...checkRelayHosts(settings),
		...checkPlaces(settings).map(report),
		...checkTls(settings, facts.tls, now).map(report)
	];
}

function* checkNames({ settings, pools }: PolicyHead, senderCount: number): Generator<NodeProblem> {
	if (settings.hostname === null) {
		yield [
			'error',
			'no-hostname',
			'The host name is not set. KumoMTA would greet with whatever the system is called, so nothing is applied. Enter the name that the address of this server resolves to.',
			'hostname'
		];
	}
	if (settings.defaultPool !== null && !pools.some(({ name }) => name === settings.defaultPool)) {
		yield [
			'error',
			'no-default-pool',
			`The default pool ${settings.defaultPool} does not exist. Nothing is applied. Choose another one.`,
			'defaultPoolId'
		];
	}
	if (settings.defaultPool === null && senderCount > 0) {
		yield [
			'warning',
			'default-pool-unset',
			'No default pool is set. Spooled mail whose sender is not known any more would wait until it expires. Choose a pool.',
			'defaultPoolId'
		];
	}
}

/** Linux refuses a listener beside a wildcard of its port; `::` takes IPv4 too. KumoMTA's API holds 127.0.0.1:8000. */
function* checkListeners(listeners: Listener[]): Generator<NodeProblem> {
	if (listeners.length === 0) {
		yield [
			'error',
			'no-listeners',
			'There is no listener: nobody could hand mail in. Nothing is applied. Add one, or go back to the defaults.',
			'listeners'
		];
	}
	const taken: Pick<Listener, 'address' | 'port'>[] = [{ address: '127.0.0.1', port: 8000 }];
	for (const [index, listener] of listeners.entries()) {
		const other = taken.find((each) => each.port === listener.port && collide(each.address, listener.address));
		taken.push(listener);
		if (other !== undefined) {
			const owner = other === taken[0] ? 'KumoMTA’s own HTTP API' : 'another listener';
			yield [
				'error',
				'listener-collides',
				`The listener ${listener.address} port ${listener.port} collides with ${owner} at ${other.address}. KumoMTA would not start, so nothing is applied. Change one of them.`,
				`listeners.${index}.port`
			];
		}
		if (listener.port === 465) {
			yield [
				'warning',
				'no-implicit-tls',
				'Port 465 expects TLS from the first byte; KumoMTA offers STARTTLS only. Clients will not connect. Use port 587.',
				`listeners.${index}.port`
			];
		}
	}
}

function collide(one: string, other: string): boolean {
	if (one === other || one === '::' || other === '::') return true;
	const family = (address: string) => address.includes(':');
	return family(one) === family(other) && (one === '0.0.0.0' || other === '0.0.0.0');
}

function* checkPurposes({ listeners, relayHosts }: PolicySettings): Generator<NodeProblem> {
	const hasRelay = (listeners ?? defaultListeners).some(({ purpose }) => purpose === 'relay');
	if (hasRelay && relayHosts.length === 0) {
		yield [
			'warning',
			'relay-without-hosts',
			'There is a relay listener but no relay host: it accepts nothing. Name the hosts that may use it.',
			'relayHosts'
		];
	}
	if (!hasRelay && relayHosts.length > 0) {
		yield [
			'warning',
			'hosts-without-relay',
			'There are relay hosts but no relay listener: they cannot send. Add a listener with the purpose relay.',
			'listeners'
		];
	}
}

function* checkPlaces({ spool, logs }: PolicySettings): Generator<NodeProblem> {
	const [a, b] = [spool.directory, logs.directory].map((path) => `${path.replace(/\/+$/, '')}/`);
	if (a !== undefined && b !== undefined && (a.startsWith(b) || b.startsWith(a))) {
		yield [
			'error',
			'spool-in-logs',
			`Spool and logs need directories of their own, but ${spool.directory} and ${logs.directory} lie in one another. Nothing is applied. Change one of them.`,
			'spool.directory'
		];
	}
}

const day = 86_400_000;

function* checkTls(settings: PolicySettings, tls: TlsFacts | undefined, now: number): Generator<NodeProblem> {
	const field = 'tls.name';
	if (settings.tlsName === null) {
		yield [
			'warning',
			'tls-self-signed',
			'No certificate is chosen. KumoMTA makes a self-signed one, and mail clients will complain. Choose one in Settings.',
			field
		];
		return;
	}
	if (tls === undefined) return;
	const name = `The certificate ${settings.tlsName}`;
	if (!tls.readable) {
		yield [
			'error',
			'tls-unreadable',
			`${name} cannot be used: fullchain.pem and privkey.pem must lie in etc/tls/${settings.tlsName} as regular files that KumoMTA may read. Nothing is applied. Put them there, or choose another certificate.`,
			field
		];
		return;
	}
	if (!tls.keyMatches) {
		const message = `${name} does not belong to its private key. Nothing is applied. Put the matching pair in place.`;
		yield ['error', 'tls-key-mismatch', message, field];
	}
	if (tls.notAfterAt <= now) {
		yield ['error', 'tls-expired', `${name} has expired. Nothing is applied. Renew it and apply again.`, field];
	} else if (tls.notAfterAt <= now + 14 * day) {
		const days = Math.floor((tls.notAfterAt - now) / day);
		yield [
			'warning',
			'tls-expires',
			`${name} expires in ${counted(days, 'day')}. Mail clients will then refuse it. Renew it.`,
			field
		];
	}
	if (settings.hostname !== null && !tls.names.some((each) => covers(each, settings.hostname ?? ''))) {
		yield [
			'warning',
			'tls-name-mismatch',
			`${name} does not name ${settings.hostname}. Mail clients will complain. Get one for that name.`,
			field
		];
	}
}

/** RFC 6125 section 6.4.3: a wildcard is the whole leftmost label. */
function covers(name: string, hostname: string): boolean {
	const lower = name.toLowerCase();
	return lower === hostname || (lower.startsWith('*.') && hostname.slice(hostname.indexOf('.')) === lower.slice(1));
}
