import { isIP } from 'node:net';

/**
 * The address that limits and the audit log use. X-Forwarded-For is believed only from a trusted proxy, and only its
 * last entry that is not itself a trusted proxy: everything before it was written by the client. An entry that is no
 * address (`unknown`, RFC 7239 6.2) hides the client: then it counts as the proxy, never as what it claims to be.
 */
export function clientAddress(trustedProxies: readonly string[], peer: string, forwarded: string | undefined): string {
	const trusted = new Set(trustedProxies.map(plain));
	const from = plain(peer);
	if (!trusted.has(from) || forwarded === undefined) return from;
	const client = forwarded
		.split(',')
		.map((hop) => plain(withoutPort(hop.trim())))
		.findLast((hop) => !trusted.has(hop));
	return client !== undefined && isIP(client) !== 0 ? client : from;
}

/** Some proxies add the port, a new one for each connection: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
const withoutPort = (hop: string) =>
	hop.replace(/^(\d+(?:\.\d+){3}):\d{1,5}$/, '$1').replace(/^\[([^\]]*)\](?::\d{1,5})?$/, '$1');

const plain = (address: string) => address.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '');
