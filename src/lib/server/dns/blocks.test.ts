import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
	addressesIn,
	addressOfReverseName,
	aggregate,
	covers,
	formatBlock,
	isPublicAddress,
	parseBlock,
	reverseName
} from './blocks.ts';

const block = (text: string) => {
	const parsed = parseBlock(text);
	if (parsed === undefined) throw new Error(`${text} is no network.`);
	return parsed;
};

describe('parseBlock', () => {
	it.each([
		'',
		'example.com',
		'192.0.2.1/33',
		'192.0.2.1/',
		'192.0.2.1/-1',
		'192.0.2.1/08',
		'192.0.2.256',
		'1.2.3',
		'2001:db8::/129',
		'fe80::1%eth0',
		'192.0.2.1/24/24',
		'192.0.2.1 ',
		'0x7f.0.0.1',
		'010.0.0.1'
	])('refuses %j', (text) => expect(parseBlock(text)).toBeUndefined());

	it.each([
		['192.0.2.1', '192.0.2.1'],
		['192.0.2.77/24', '192.0.2.0/24'],
		['0.0.0.0/0', '0.0.0.0/0'],
		['2001:DB8:0:0::5', '2001:db8::5'],
		['2001:db8::5/32', '2001:db8::/32'],
		['::ffff:192.0.2.1', '::ffff:c000:201']
	])('reads %s as %s', (text, expected) => expect(formatBlock(block(text))).toBe(expected));
});

describe('aggregate', () => {
	it.each<[string[], string[]]>([
		[[], []],
		[['nonsense'], []],
		[['192.0.2.1', '192.0.2.1'], ['192.0.2.1']],
		[['192.0.2.27', '192.0.2.24', '192.0.2.26', '192.0.2.25'], ['192.0.2.24/30']],
		[
			['192.0.2.1', '192.0.2.2'],
			['192.0.2.1', '192.0.2.2']
		],
		[
			['2001:db8::1', '203.0.113.9', '2001:db8::'],
			['203.0.113.9', '2001:db8::/127']
		],
		[
			['255.255.255.255', '0.0.0.0'],
			['0.0.0.0', '255.255.255.255']
		]
	])('%j gives %j', (addresses, expected) => expect(aggregate(addresses).map(formatBlock)).toEqual(expected));

	it('never lets in an address that is not ours, and loses none', () => {
		const address = fc.integer({ min: 0, max: 63 }).map((last) => `203.0.113.${last}`);
		fc.assert(
			fc.property(fc.array(address, { maxLength: 64 }), (addresses) => {
				const listed = aggregate(addresses).flatMap((each) => addressesIn(each).map(formatBlock));
				expect(listed.sort()).toEqual([...new Set(addresses)].sort());
			})
		);
	});
});

it('knows what a network covers', () => {
	expect(covers(block('192.0.2.0/24'), block('192.0.2.9'))).toBe(true);
	expect(covers(block('192.0.2.0/24'), block('192.0.3.0'))).toBe(false);
	expect(covers(block('192.0.2.9'), block('192.0.2.0/24'))).toBe(false);
	expect(covers(block('0.0.0.0/0'), block('::1'))).toBe(false);
});

it.each([
	['203.0.113.25', '25.113.0.203.in-addr.arpa'],
	['2001:db8::567:89ab', 'b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa']
])('finds %s and its reverse name', (address, name) => {
	expect(reverseName(address)).toBe(name);
	expect(addressOfReverseName(name)).toBe(address);
});

it.each([
	['10.1.2.3', false],
	['172.31.0.1', false],
	['172.32.0.1', true],
	['192.168.1.1', false],
	['127.0.0.1', false],
	['169.254.1.1', false],
	['100.64.0.1', false],
	['224.0.0.1', false],
	['203.0.113.5', true],
	['::1', false],
	['fd00::1', false],
	['fe80::1', false],
	['2001:db8::1', true],
	['::ffff:10.0.0.1', false],
	['nonsense', false]
])('sees that %s is public: %s', (address, expected) => expect(isPublicAddress(address)).toBe(expected));
