import { BlockList, isIPv6 } from 'node:net';

type AddressScope = 'public' | 'private' | 'loopback';

/** Networks that the Internet does not route (IANA special-purpose registries, RFC 6890 and its updates). */
const privateNetworks: [network: string, prefix: number, family: 'ipv4' | 'ipv6'][] = [
	['10.0.0.0', 8, 'ipv4'],
	['100.64.0.0', 10, 'ipv4'],
	['169.254.0.0', 16, 'ipv4'],
	['172.16.0.0', 12, 'ipv4'],
	['192.168.0.0', 16, 'ipv4'],
	['fc00::', 7, 'ipv6'],
	['fe80::', 10, 'ipv6']
];

const unusableNetworks: typeof privateNetworks = [
	['0.0.0.0', 8, 'ipv4'],
	['224.0.0.0', 3, 'ipv4'],
	['::', 128, 'ipv6'],
	['ff00::', 8, 'ipv6'],
	['fe80::', 10, 'ipv6'],
	['::ffff:0:0', 96, 'ipv6']
];

const loopbackNetworks: typeof privateNetworks = [
	['127.0.0.0', 8, 'ipv4'],
	['::1', 128, 'ipv6']
];

/** Where an address is known: a `private` one reaches the world only through address translation. */
export function addressScope(address: string): AddressScope {
	if (isIn(address, loopbackNetworks)) return 'loopback';
	return isIn(address, privateNetworks) ? 'private' : 'public';
}

/**
 * Whether mail can leave from an address at all: not from unspecified, loopback, multicast, reserved, link-local IPv6 or
 * IPv4-mapped IPv6 addresses.
 */
export function isUsableSource(address: string): boolean {
	return !isIn(address, unusableNetworks) && !isIn(address, loopbackNetworks);
}

function isIn(address: string, networks: typeof privateNetworks): boolean {
	const own = isIPv6(address) ? 'ipv6' : 'ipv4';
	const list = new BlockList();
	for (const [network, prefix, family] of networks) if (family === own) list.addSubnet(network, prefix, family);
	return list.check(address, own);
}
