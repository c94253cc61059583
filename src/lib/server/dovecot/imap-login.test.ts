import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../../../tests/support/app.ts';
import { makeCertificate } from '../../../../tests/support/certificate.ts';
import { Secret } from '../core/secret.ts';
import { tryImapLogin } from './imap-login.ts';
import type { ImapLogin } from './imap-login.ts';

const password = 'chosen pass phrase';
const user = 'returns@bounce.example.com';
const certificate = makeCertificate(temporaryDirectory());
const servers: Server[] = [];
afterEach(() => {
	for (const server of servers.splice(0)) server.close();
});

interface Script {
	greeting?: string;
	login?: (credentials: string) => string;
	status?: string;
}

/** Speaks as much IMAP as the check asks for; `seen` is every line that came. */
async function imapDouble({ greeting = '* OK ready', login, status }: Script) {
	const seen: string[] = [];
	const answer = (line: string): string => {
		if (line.startsWith('a1 ')) return '+ \r\n';
		if (line.startsWith('a2 ')) return status ?? '* STATUS INBOX (MESSAGES 12)\r\na2 OK done\r\n';
		if (line.startsWith('a3 ')) return '* BYE\r\na3 OK\r\n';
		const given = Buffer.from(line, 'base64').toString();
		return (
			login?.(given) ?? (given === `\0${user}\0${password}` ? 'a1 OK in\r\n' : 'a1 NO [AUTHENTICATIONFAILED] no\r\n')
		);
	};
	const server = createTlsServer(certificate, (socket) => {
		socket.on('error', () => {});
		if (greeting !== '') socket.write(`${greeting}\r\n`);
		socket.on('data', (part: Buffer) => {
			for (const line of part.toString().split('\r\n').filter(Boolean)) {
				seen.push(line);
				socket.write(answer(line));
			}
		});
	});
	return { seen, port: await listen(server) };
}

async function listen(server: Server): Promise<number> {
	servers.push(server);
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	return (server.address() as AddressInfo).port;
}

const attempt = (port: number, change: Partial<ImapLogin> = {}) =>
	tryImapLogin({ address: '127.0.0.1', port, serverName: 'mta.example.net', user, timeoutMs: 2000, ...change });
const words = async (stages: ReturnType<typeof attempt>) =>
	(await stages).map(({ name, status }) => `${name} ${status}`);

it('says at which stage it ends, and skips what follows', async () => {
	const { port, seen } = await imapDouble({});
	expect(await words(attempt(port, { password: new Secret(password) }))).toEqual([
		'tcp ok',
		'tls ok',
		'greeting ok',
		'login ok',
		'mailbox ok'
	]);
	await expect.poll(() => seen.at(-1)).toBe('a3 LOGOUT');
});

it('tries no login without a password', async () => {
	const { port, seen } = await imapDouble({});
	expect(await words(attempt(port))).toEqual(['tcp ok', 'tls ok', 'greeting ok', 'login skipped', 'mailbox skipped']);
	expect(seen).toEqual([]);
});

it('says that mail programs would not accept the certificate', async () => {
	const { port } = await imapDouble({});
	const [, tls] = await attempt(port);
	expect(tls?.detail).toContain('mail programs will complain about the certificate: this server signed it itself.');
	expect((await attempt(port, { serverName: null }))[1]?.detail).toContain('no host name');
});

describe('a login that fails', () => {
	const given = { password: new Secret('hunter2 hunter2') };

	it('is told from a refusal of another kind, and never repeats the password', async () => {
		const wrong = await imapDouble({});
		const echo = await imapDouble({
			login: (text) => `a1 NO [UNAVAILABLE] ${text} ${Buffer.from(text).toString('base64')}\r\n`
		});
		const answers = [await attempt(wrong.port, given), await attempt(echo.port, given)];
		expect(answers.map((stages) => stages[3])).toMatchObject([
			{ status: 'failed', detail: expect.stringContaining('wrong, or the account is not live yet') },
			{ status: 'failed', detail: expect.stringContaining('UNAVAILABLE') }
		]);
		expect(JSON.stringify(answers)).not.toMatch(/hunter2|aHVudGVy/);
	});

	it.each<[string, Script, string[]]>([
		[
			'no inbox',
			{ status: 'a2 NO [SERVERBUG] cannot open\r\n', login: () => 'a1 OK\r\n' },
			['login ok', 'mailbox failed']
		],
		['a turned-away client', { greeting: '* BYE too many' }, ['greeting failed', 'login skipped']],
		['another protocol', { greeting: '+OK POP3 ready' }, ['greeting failed', 'login skipped']],
		['silence', { greeting: '' }, ['greeting failed', 'login skipped']],
		['a flood', { greeting: '* X '.padEnd(20_000, 'x') }, ['greeting failed', 'login skipped']]
	])('of %s', async (_, script, expected) => {
		const { port } = await imapDouble(script);
		expect(await words(attempt(port, { ...given, timeoutMs: 300 }))).toEqual(expect.arrayContaining(expected));
	});
});

it('tells a closed port from one without TLS', async () => {
	const plain = createTcpServer((socket: Socket) =>
		socket
			.on('error', () => {})
			.resume()
			.end('* OK plain\r\n')
	);
	const port = await listen(plain);
	expect(await words(attempt(port))).toEqual(expect.arrayContaining(['tcp ok', 'tls failed', 'greeting skipped']));
	await new Promise((resolve) => plain.close(resolve));
	servers.pop();
	const [tcp] = await attempt(port);
	expect(tcp).toMatchObject({ status: 'failed', detail: expect.stringContaining('Dovecot is not running') });
});
