import { describe, expect, it } from 'vitest';
import { checkRelayHosts } from './check-relay.ts';
import type { PolicySettings } from './input.ts';

const codes = (relayHosts: string[], relayHostsOverride: string[] = []) =>
	checkRelayHosts({ relayHosts, relayHostsOverride } as PolicySettings).map(
		({ code, severity }) => `${severity} ${code}`
	);

const tooWide = ['error relay-host-too-wide'];

describe('a relay host that would be an open relay', () => {
	it.each([
		['everything', '0.0.0.0/0'],
		['everything in IPv6', '::/0'],
		['half of everything', '128.0.0.0/1'],
		['a public /15', '198.50.0.0/15'],
		['a wide IPv6 network', '2000::/16'],
		['every IPv4 address, as a :: listener sees them', '::ffff:0:0/96'],
		['the same in dotted form', '::ffff:0.0.0.0/96'],
		['half of them', '::ffff:128.0.0.0/97'],
		['a narrow-looking network around all of them', '::/32'],
		['the narrowest around all of them', '::/80'],
		['a public /15 in IPv6 spelling', '::ffff:198.50.0.0/111']
	])('is an error: %s (%s)', (_, network) => {
		expect(codes([network])).toEqual(tooWide);
		expect(codes([network], [network])).toEqual([]);
		expect(codes([network], ['192.0.2.0/24'])).toEqual(tooWide);
	});

	it('is an error when many small ones add up, also in IPv6 spelling', () => {
		const plain = Array.from({ length: 5 }, (_, index) => `198.${index + 50}.0.0/16`);
		const spelled = plain.map((network) => `::ffff:${network.replace('/16', '/112')}`);
		expect(codes(plain)).toEqual(['error relay-hosts-too-many']);
		expect(codes(spelled)).toEqual(['error relay-hosts-too-many']);
		expect(codes([...plain.slice(0, 4), ...spelled.slice(0, 4)])).toEqual([]);
	});
});

it.each([
	'10.0.0.0/8',
	'192.0.2.0/24',
	'127.0.0.1/32',
	'::1/128',
	'fd00::/32',
	'2001:db8::/32',
	'::ffff:10.0.0.0/104',
	'::ffff:192.0.2.1/128'
])('%s may relay', (network) => {
	expect(codes([network])).toEqual([]);
});
