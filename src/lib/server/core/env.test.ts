import { describe, expect, it } from 'vitest';
import { EnvError, readEnv } from './env.ts';

const bad: [string, string][] = [
	['PORT', 'ninety'],
	['PORT', '70000'],
	['PORT', '-1'],
	['ORIGIN', 'panel.test'],
	['ORIGIN', 'ftp://mta.example.net'],
	['DATABASE_URL', 'postgres://secret:hunter2@db/panel'],
	['KUMOMTA_ROOT', 'relative/path'],
	['KUMOMTA_ROOT', '/srv/kumo mta'],
	['KUMOMTA_ROOT', "/srv/kumo'mta"],
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

	it('does not start where no policy could be applied, and says which variable mends it', () => {
		expect(() => readEnv({ DATA_DIR: '/home/jo smith/data' })).toThrow(/^The environment variable KUMOMTA_ROOT /);
		expect(readEnv({ DATA_DIR: '/home/jo smith/data', KUMOMTA_ROOT: '/srv/kumomta' }).kumomtaRoot).toBe('/srv/kumomta');
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
