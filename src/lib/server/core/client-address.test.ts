import { expect, it } from 'vitest';
import { clientAddress } from './client-address.ts';

const proxies = ['127.0.0.1', '::1', '192.0.2.10'];

it.each([
	['without a trusted proxy the header is the client’s own', [], '198.51.100.1', '9.9.9.9', '198.51.100.1'],
	['a stranger’s header is not believed', proxies, '198.51.100.1', '9.9.9.9', '198.51.100.1'],
	['no header', proxies, '127.0.0.1', undefined, '127.0.0.1'],
	['the last hop', proxies, '127.0.0.1', '9.9.9.9, 203.0.113.5', '203.0.113.5'],
	['past trusted hops', proxies, '::ffff:127.0.0.1', '9.9.9.9, 203.0.113.5, 192.0.2.10', '203.0.113.5'],
	[
		'with a port, so that each connection is not a new client',
		proxies,
		'127.0.0.1',
		'9.9.9.9, 203.0.113.5:4711',
		'203.0.113.5'
	],
	['IPv6 with a port', proxies, '::1', '9.9.9.9, [2001:DB8::5]:443', '2001:db8::5'],
	[
		'a hop that is no address never uncovers what the client wrote',
		proxies,
		'127.0.0.1',
		'9.9.9.9, unknown',
		'127.0.0.1'
	],
	['an obfuscated hop neither', proxies, '127.0.0.1', '9.9.9.9, _hidden', '127.0.0.1'],
	['an empty header', proxies, '127.0.0.1', '', '127.0.0.1'],
	['only trusted hops', proxies, '127.0.0.1', '192.0.2.10', '127.0.0.1'],
	['mapped IPv4', proxies, '127.0.0.1', '::ffff:203.0.113.5', '203.0.113.5'],
	['nonsense', proxies, '127.0.0.1', '::::', '127.0.0.1']
])('%s', (_, trusted, peer, forwarded, address) => {
	expect(clientAddress(trusted, peer, forwarded)).toBe(address);
});
