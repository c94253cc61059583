import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EnvError, readEnv } from './env.ts';

const bad: [string, string][] = [
	['PORT', 'ninety'],
	['PORT', '70000'],
	['PORT', '-1'],
	['ORIGIN', 'panel.test'],
	['ORIGIN', 'ftp://mta.example.net'],
	['DATABASE_URL', 'postgres://secret:hunter2@db/panel'],
	['DATABASE_URL', 'file:/'],
	['DATABASE_URL', 'file::memory:'],
	['DATABASE_URL', 'file:/srv/panel.db?mode=memory'],
	['DATABASE_URL', 'file:/srv/panel.db#1'],
	['DATABASE_URL', 'file:/srv/a%20b.db'],
	['DATABASE_URL', 'file:/srv/panel/'],
	['DATABASE_URL', 'file://server/srv/panel.db'],
	['DATABASE_URL', 'file:////srv/panel.db'],
	['DATABASE_URL', 'file://localhost'],
	['DATABASE_URL', 'https://panel:hunter2@db.example.net'],
	['DATABASE_URL', 'https://db.example.net?authToken=hunter2'],
	['DATABASE_URL', 'wss://db.example.net'],
	['DATABASE_AUTH_TOKEN', 'two\nlines'],
	['DATABASE_AUTH_TOKEN', 'schlüssel'],
	['KUMOMTA_ROOT', 'relative/path'],
	['KUMOMTA_ROOT', '/srv/kumo mta'],
	['KUMOMTA_ROOT', "/srv/kumo'mta"],
	['MAIL_ROOT', 'mail'],
	['MAIL_ROOT', "/srv/mail'"],
	['DOVECOT_ETC', 'etc/dovecot'],
	['DOVECOT_ETC', '/etc/dove cot'],
	['DOVECOT_BIN', 'local/bin/it'],
	['IMAP_PORT', '0'],
	['POP3_PORT', '70000'],
	['DATA_DIR', '/srv/panel?mode=memory'],
	['DATA_DIR', '/srv/100%'],
	['KUMOD_BIN', 'bin/kumo-daemon'],
	['KUMOD_API', 'localhost:8000'],
	['TRUSTED_PROXY', '127.0.0.1, proxy.example'],
	['LOG_LEVEL', 'verbose']
];

describe('readEnv', () => {
	it.each(bad)('stops the start and names %s=%s without repeating the value', (name, value) => {
		const read = () => readEnv({ [name]: value });
		expect(read).toThrow(EnvError);
		expect(read).toThrow(`The environment variable ${name} is not usable`);
		expect(read).not.toThrow(new RegExp(value.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')));
	});

	it('listens on loopback and keeps everything in the data directory unless told otherwise', () => {
		const env = readEnv({ DATA_DIR: '/srv/panel', KUMOMTA_ROOT: '/srv/kumomta' });
		expect(env).toMatchObject({
			host: '127.0.0.1',
			port: 9000,
			origin: 'http://127.0.0.1:9000',
			databaseUrl: 'file:/srv/panel/panel.db',
			trustedProxies: []
		});
	});

	it.each([
		['file:panel.db', `file:${join(process.cwd(), 'panel.db')}`],
		['file:./data/../panel.db', `file:${join(process.cwd(), 'panel.db')}`],
		['file:/srv/panel.db', 'file:/srv/panel.db'],
		['file:///srv/panel.db', 'file:/srv/panel.db'],
		['file://localhost/srv/panel.db', 'file:/srv/panel.db'],
		['file:/srv/the panel.db', 'file:/srv/the panel.db'],
		['libsql://db.example.net', 'libsql://db.example.net'],
		['libsql://db.example.net:8080?tls=0', 'libsql://db.example.net:8080?tls=0'],
		['http://[::1]:8080', 'http://[::1]:8080'],
		['https://db.example.net/panel/', 'https://db.example.net/panel/']
	])('reads DATABASE_URL=%s as %s', (given, read) => {
		expect(readEnv({ DATABASE_URL: given }).databaseUrl).toBe(read);
	});

	it('takes a token with the line end that a file gave it', () => {
		expect(readEnv({ DATABASE_AUTH_TOKEN: 'token\n' }).databaseAuthToken).toBe('token');
	});

	it('does not start where no policy could be applied, and says which variable mends it', () => {
		expect(() => readEnv({ DATA_DIR: '/home/jo smith/data' })).toThrow(/^The environment variable KUMOMTA_ROOT /);
		expect(readEnv({ DATA_DIR: '/home/jo smith/data', KUMOMTA_ROOT: '/srv/kumomta' }).kumomtaRoot).toBe('/srv/kumomta');
	});

	it('keeps the mail of bounce accounts in the sandbox, in its usual place beside a real KumoMTA, or where it is told', () => {
		const sandbox = { DATA_DIR: '/srv/panel', KUMOMTA_ROOT: '/srv/kumomta' };
		expect(readEnv(sandbox).mailRoot).toBe('/srv/kumomta/mail');
		expect(readEnv({ ...sandbox, MAIL_ROOT: '/srv/mail' }).mailRoot).toBe('/srv/mail');
		expect(readEnv(sandbox)).toMatchObject({ dovecotBin: undefined, imapPort: 993, pop3Port: 995 });
		const told = { ...sandbox, DOVECOT_ETC: '/srv/dovecot', DOVECOT_BIN: '/srv/sbin/dovecot' };
		expect(readEnv(told)).toMatchObject({ dovecotEtc: '/srv/dovecot', dovecotBin: '/srv/sbin/dovecot' });
		expect(readEnv({ ...sandbox, KUMOMTA_ROOT: '/opt/kumomta' }).mailRoot).toBe('/var/mail/kumomta');
	});

	it('takes an empty variable as unset', () => {
		expect(readEnv({ PORT: '', ORIGIN: '' }).port).toBe(9000);
	});

	it('writes an IPv6 host in brackets', () => {
		expect(readEnv({ HOST: '::1', PORT: '8080' }).origin).toBe('http://[::1]:8080');
	});

	it('reads several proxies', () => {
		expect(readEnv({ TRUSTED_PROXY: '127.0.0.1, ::1' }).trustedProxies).toEqual(['127.0.0.1', '::1']);
	});
});
