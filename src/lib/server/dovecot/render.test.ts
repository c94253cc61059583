import { describe, expect, it } from 'vitest';
import { hostileTexts } from '../../../../tests/support/hostile.ts';
import { renderConfig, revisionOfConf } from './config.ts';
import type { ConfigInput } from './config.ts';
import { lineOf, localOnly, renderPasswd } from './passwd.ts';
import type { Login } from './passwd.ts';
import { dovecotRoots } from './roots.ts';
import { judgeVersion, toolOf } from './version.ts';

const hash = `$2b$10$${'a'.repeat(53)}`;
const login = (fields: Partial<Login> = {}): Login => ({
	id: 'aaaaaaaaaaaaaaaa',
	address: 'returns@bounce.example.com',
	hash,
	quota: 1_048_576,
	...fields
});
const target = { mailRoot: '/var/mail/kumomta', mailUser: { uid: 120, gid: 121 } };

describe('the passwd-file', () => {
	it('has one line for each account, ordered by address, whatever their order was', () => {
		const logins = [login(), login({ id: 'bbbbbbbbbbbbbbbb', address: 'a@bounce.example.com', quota: 5 })];
		const { text, leftOut } = renderPasswd(logins, target);
		expect(leftOut).toEqual([]);
		expect(text).toBe(
			`a@bounce.example.com:{BLF-CRYPT}${hash}:120:121::/var/mail/kumomta/bbbbbbbbbbbbbbbb::userdb_quota_rule=*:bytes=5\n` +
				`returns@bounce.example.com:{BLF-CRYPT}${hash}:120:121::/var/mail/kumomta/aaaaaaaaaaaaaaaa::userdb_quota_rule=*:bytes=1048576\n`
		);
		expect(renderPasswd(logins.toReversed(), target).text).toBe(text);
	});

	it.each(['address', 'hash', 'id'] as const)('holds no hostile text as %s', (field) => {
		for (const text of [...hostileTexts, `${login()[field]}\n`, `${login()[field]}:0:0::/::`, `${login()[field]} x=y`])
			expect(() => renderPasswd([login({ [field]: text })], target), JSON.stringify(text)).toThrow();
	});

	it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('holds no quota of %d', (quota) => {
		expect(() => renderPasswd([login({ quota })], target)).toThrow();
	});

	it('leaves out a name that would be a comment, and says so', () => {
		const made = renderPasswd([login({ address: '#x@bounce.example.com' }), login()], target);
		expect(made.leftOut).toEqual(['#x@bounce.example.com']);
		expect(made.text.split('\n')).toHaveLength(2);
	});

	it('can bind a line to this machine', () => {
		const line = lineOf(login(), '/var/mail/kumomta/.login-probe', target.mailUser, localOnly);
		expect(line).toMatch(/:bytes=1048576 allow_nets=127\.0\.0\.1\/32,::1\/128\n$/);
	});
});

describe('dovecot.conf', () => {
	const input = (fields: Partial<ConfigInput> = {}): ConfigInput => ({
		revision: '12-abcdefabcdef',
		roots: dovecotRoots('/etc/dovecot'),
		ports: { imap: 993, pop3: 995 },
		tls: { certificate: '/opt/kumomta/etc/tls/a/fullchain.pem', privateKey: '/opt/kumomta/etc/tls/a/privkey.pem' },
		mailUser: target.mailUser,
		...fields
	});

	it('is complete: nothing is included, no system user signs in, no port is without TLS', () => {
		const text = renderConfig(input());
		expect(revisionOfConf(text)).toBe('12-abcdefabcdef');
		expect(text).not.toMatch(/!include|driver = (?!passwd-file)|base_dir|log_path/);
		expect(text).toMatch(/^ssl = required$/m);
		expect(text).toMatch(/^disable_plaintext_auth = yes$/m);
		expect(text.match(/port = \d+/g)).toEqual(['port = 0', 'port = 993', 'port = 0', 'port = 995']);
		expect(text.match(/\/etc\/dovecot\/kumomta-ui\/12-abcdefabcdef\/(?:passwd|probe)$/gm)).toHaveLength(4);
	});

	it('listens nowhere without a certificate', () => {
		const text = renderConfig(input({ tls: null }));
		expect(text).toMatch(/^protocols =$/m);
		expect(text).not.toMatch(/ssl_cert|ssl_key/);
	});

	it('of another directory has a base directory and a log of its own', () => {
		const text = renderConfig(input({ roots: dovecotRoots('/srv/sandbox/dovecot') }));
		expect(text).toMatch(
			/^base_dir = \/srv\/sandbox\/dovecot\/run\nlog_path = \/srv\/sandbox\/dovecot\/dovecot\.log$/m
		);
	});

	it('holds no hostile text', () => {
		const injected = ['/etc/x\nssl = no', '/etc/<x', '/etc/$x', '/etc/x #'];
		for (const text of [...hostileTexts, ...injected])
			for (const fields of [
				{ revision: text },
				{ tls: { certificate: text, privateKey: '/x' } },
				{ tls: { certificate: '/x', privateKey: text } }
			])
				expect(() => renderConfig(input(fields)), JSON.stringify(text)).toThrow();
		for (const text of injected) expect(() => renderConfig(input({ roots: dovecotRoots(text) }))).toThrow();
		expect(() => renderConfig(input({ mailUser: { uid: 0, gid: 0 } }))).toThrow();
	});

	it.each([undefined, '', '# kumomta-ui revision 1-abc\n', '## kumomta-ui revision 1-abcdefabcdef\n', ' # Dovecot'])(
		'is not taken for ours when it begins %j',
		(text) => expect(revisionOfConf(text)).toBeUndefined()
	);
});

describe('the version', () => {
	it.each(['2.3.19.1 (9b53102964)\n', '2.3.16 (7e2e900c1a)', '2.3.4'])('%j is written for', (printed) => {
		expect(judgeVersion(printed).isSupported).toBe(true);
	});

	it.each([
		['2.4.1-4 (7d8c0e5759)\n', 'another syntax since 2.4'],
		['3.0.0', 'another syntax since 2.4'],
		['2.2.36', 'older'],
		['', 'cannot be read'],
		['dovecot: not found', 'cannot be read']
	])('%j is refused with a sentence that says what to do', (printed, why) => {
		const judged = judgeVersion(printed);
		expect(judged).toMatchObject({ isSupported: false, sentence: expect.stringContaining(why) });
		expect(judged).toMatchObject({ sentence: expect.stringContaining('Install Dovecot 2.3') });
	});

	it('has its tools beside it, or in bin beside sbin', () => {
		expect(toolOf('/usr/sbin/dovecot', 'doveadm')).toBe('/usr/bin/doveadm');
		expect(toolOf('/srv/double/dovecot', 'doveconf')).toBe('/srv/double/doveconf');
	});
});
