import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emailAddress, hostName, ipAddress, line, localPart } from './inputs.ts';
import { clientNetwork } from '../auth/limits.ts';

const refused = (schema: { safeParse: (text: string) => { success: boolean } }, text: string) =>
	!schema.safeParse(text).success;

describe('host names', () => {
	it.each([
		['Mail.Example.COM', 'mail.example.com'],
		['mail.example.com.', 'mail.example.com'],
		['  mail.example.com ', 'mail.example.com'],
		['bücher.example', 'xn--bcher-kva.example'],
		['BÜCHER.example', 'xn--bcher-kva.example'],
		['例え.テスト', 'xn--r8jz45g.xn--zckzah']
	])('normalise %s', (given, expected) => {
		expect(hostName().parse(given)).toBe(expected);
	});

	it.each([
		'',
		'localhost',
		'_dmarc.example.com',
		'192.0.2.1',
		'[::1]',
		'0x7f.1',
		'2130706433',
		'a..b',
		'-a.example',
		'a-.example',
		'a b.example',
		'a.example\n',
		'a.example/..',
		'../etc',
		'a@b.example',
		'user:pw@b.example',
		'a.example:25',
		'a%2eb.example',
		'a"b.example',
		"a'b.example",
		'a\0b.example',
		`${'a'.repeat(64)}.example`,
		`${'a.'.repeat(130)}example`,
		'a.\u202eexample',
		'a.123'
	])('refuse %j', (text) => {
		expect(refused(hostName(), text) || /^[a-z0-9._-]+$/.test(hostName().parse(text))).toBe(true);
		if (!/\n$/.test(text)) expect(refused(hostName(), text)).toBe(true);
	});

	it('never let anything through but letters, digits, dots, dashes and underscores', () => {
		fc.assert(
			fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
				const parsed = hostName().safeParse(text);
				return !parsed.success || /^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(parsed.data);
			})
		);
	});
});

describe('e-mail addresses', () => {
	it('are one spelling per mailbox', () => {
		expect(emailAddress.parse(' Ops@BÜCHER.example ')).toBe('ops@xn--bcher-kva.example');
	});

	it.each([
		'ops',
		'@example.com',
		'ops@',
		'a@b@example.com',
		'"quoted"@example.com',
		'a..b@example.com',
		'.a@example.com',
		'a.@example.com',
		'a b@example.com',
		'a\n@example.com',
		`${'a'.repeat(65)}@example.com`,
		'ops@localhost',
		'ops@[192.0.2.1]',
		'é@example.com',
		'a@example.com\r\nBcc: x@y.z'
	])('refuse %j', (text) => {
		expect(refused(emailAddress, text)).toBe(true);
	});
});

it.each(['a/../b', 'a b', 'a"b', 'a\\b', 'a;b', 'a(b', 'a@b', 'a\u0000', 'ａ'])('local part %j is refused', (text) => {
	expect(refused(localPart, text)).toBe(true);
});

it.each(['a\nb', 'a\rb', 'a\0b', 'a\u202eb', 'a\u2028b', 'a\u2066b', 'x'.repeat(11)])(
	'a line of text refuses %j',
	(text) => {
		expect(refused(line(10), text)).toBe(true);
	}
);

it.each([
	['2001:DB8:0:0::1', '2001:db8::1'],
	['192.0.2.1', '192.0.2.1'],
	['::ffff:192.0.2.1', '::ffff:c000:201']
])('address %s has one spelling', (given, expected) => {
	expect(ipAddress.parse(given)).toBe(expected);
});

it.each(['192.0.2.256', '192.0.2', '1.2.3.4/32', 'fe80::1%eth0', '', '::g', '0300.1.1.1'])(
	'address %j is refused',
	(text) => {
		expect(refused(ipAddress, text)).toBe(true);
	}
);

it.each([
	['192.0.2.7', '192.0.2.7'],
	['::ffff:192.0.2.7', '192.0.2.7'],
	['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
	['2001:db8:1:2::9', '2001:db8:1:2::/64'],
	['::1', '0:0:0:0::/64'],
	[null, 'unknown']
])('client %s counts as network %s', (address, network) => {
	expect(clientNetwork(address)).toBe(network);
});
