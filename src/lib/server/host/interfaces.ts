import { networkInterfaces } from 'node:os';

export interface InterfaceAddress {
	interface: string;
	address: string;
	family: 4 | 6;
	isLoopback: boolean;
}

/** The addresses of this machine; link-local IPv6 is left out, since no mail leaves from it. */
export function listInterfaceAddresses(): InterfaceAddress[] {
	return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
		addresses
			.filter(({ family, address }) => family === 'IPv4' || !/^fe[89ab]/i.test(address))
			.map(({ address, family, internal }) => ({
				interface: name,
				address,
				family: family === 'IPv4' ? (4 as const) : (6 as const),
				isLoopback: internal
			}))
	);
}
