import { describe, expect, it } from 'vitest';
import { hidden, maskLines } from './masked-text.ts';

const mask = (text: string) => maskLines(text.split('\n')).lines.join('\n');

describe('what may be a secret', () => {
	const secrets: [what: string, text: string][] = [
		['a password', "local password = 'tiger-4711'"],
		['a short name for it', 'local pw = "tiger-4711"'],
		['a table of users', "local passwords = {\n\t['scott'] = 'tiger-4711',\n}"],
		['a table in a table', "local auth = {\n\tusers = {\n\t\t['scott'] = 'tiger-4711'\n\t},\n\tmore = 'tiger-4711'\n}"],
		['an address with a user', "node = 'redis://me:tiger-4711@10.0.0.1/'"],
		['a header', "['Authorization'] = 'Basic tiger-4711'"],
		['a long bracket', 'local token = [[\ntiger-4711\n]]'],
		['a long bracket on a line', 'local token = [=[tiger-4711]=]'],
		['key data', 'key = { key_data = "tiger-4711" }'],
		['a comment', '-- the password was tiger-4711'],
		['a TOML value', 'api_key = "tiger-4711"'],
		['a private key', "key = '-----BEGIN PRIVATE KEY-----\ntiger-4711\n-----END PRIVATE KEY-----'"],
		['a hash', "local x = 'tiger47110123456789abcdef0123456789abcdef'"]
	];

	it.each(secrets)('%s is hidden', (_, text) => {
		const shown = mask(text);
		expect(shown).toContain(hidden);
		expect(shown).not.toMatch(/tiger-?4711/);
	});

	it('and the rest is not', () => {
		const text = [
			"kumo.start_esmtp_listener { listen = '0.0.0.0:25', hostname = 'mx.example.net' }",
			"kumo.define_spool { name = 'data', path = '/var/spool/kumomta/data' }",
			"kumo.make_egress_source { name = 'ip-1', source_address = '192.0.2.1' }",
			"require 'policy-extras.shaping'"
		].join('\n');
		expect(mask(text)).toBe(text);
	});

	it('ends with the table it began in', () => {
		const shown = mask("local passwords = {\n\t['a'] = 'b'\n}\nlocal host = 'mx.example.net'");
		expect(shown.split('\n').at(-1)).toBe("local host = 'mx.example.net'");
	});
});
