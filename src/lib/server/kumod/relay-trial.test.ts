import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { makeCertificate } from '../../../../tests/support/certificate.ts';
import { temporaryDirectory } from '../../../../tests/support/app.ts';
import { tryRelay } from './relay-trial.ts';

/** A mail server that answers each command as the table says and keeps what it was told. */
type Replies = Record<string, string>;
const usual: Replies = { GREETING: '220 mta', EHLO: '250-mta\r\n250 PIPELINING', MAIL: '250 ok', RCPT: '250 ok' };

let server: Server | undefined;
afterEach(() => new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined))));

async function serve(given: Replies, certificate?: { key: string; cert: string }) {
	const replies: Replies = { RSET: '250 reset', QUIT: '221 bye', STARTTLS: '220 ready', ...usual, ...given };
	const heard: string[] = [];
	const converse = (socket: Socket) =>
		socket
			.on('error', () => {})
			.on('data', (part: Buffer) => {
				const line = part.toString('latin1').trim();
				heard.push(line);
				const verb = line.split(/[ :]/)[0] ?? '';
				const reply = replies[verb] ?? '500 unexpected';
				if (reply === '') return;
				socket.write(`${reply}\r\n`, () => {
					if (verb === 'QUIT') socket.end();
					if (verb !== 'STARTTLS' || certificate === undefined) return;
					socket.removeAllListeners('data');
					converse(new TLSSocket(socket, { isServer: true, secureContext: createSecureContext(certificate) }));
				});
			});
	server = createServer((socket) => {
		converse(socket);
		if (replies.GREETING !== '') socket.write(`${replies.GREETING}\r\n`);
	});
	await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
	const { port } = server.address() as AddressInfo;
	const trial = await tryRelay({ address: '127.0.0.1', port, localAddress: '127.0.0.1', timeoutMs: 800 });
	return { heard, trial };
}

describe('asking a listener to relay', () => {
	it.each<[string, Replies, object]>([
		['an open relay takes the recipient', {}, { result: 'accepted', at: 'RCPT', reply: '250 ok' }],
		['the recipient is refused', { RCPT: '550 5.7.1 no' }, { result: 'refused', at: 'RCPT', reply: '550 5.7.1 no' }],
		['the sender is refused', { MAIL: '530 5.7.0 auth' }, { result: 'refused', at: 'MAIL', reply: '530 5.7.0 auth' }],
		['it is put off', { RCPT: '450 4.7.1 later' }, { result: 'deferred', at: 'RCPT', reply: '450 4.7.1 later' }],
		['it greets with a refusal', { GREETING: '421 busy' }, { result: 'failed', detail: 'it answered: 421 busy' }],
		['it says nothing', { GREETING: '' }, { result: 'failed', detail: 'no answer in 800 ms' }],
		['it falls silent', { RCPT: '' }, { result: 'failed', detail: 'no answer in 800 ms' }],
		['its text stays one line', { RCPT: '550-a\r\n550 b\u0007c' }, { result: 'refused', at: 'RCPT', reply: '550 b c' }]
	])('%s', async (_, replies, expected) => {
		const { heard, trial } = await serve(replies);
		expect(trial).toEqual(expected);
		expect(heard.join('\n')).not.toMatch(/DATA|BDAT|AUTH/);
	});

	it('names reserved addresses only, and takes everything back before it leaves', async () => {
		const { heard } = await serve({});
		expect(heard).toEqual([
			'EHLO doctor.kumomta-ui.invalid',
			'MAIL FROM:<relay-test@example.net>',
			'RCPT TO:<relay-test@example.com>',
			'RSET',
			'QUIT'
		]);
	});

	it('looks at the certificate behind STARTTLS', async () => {
		const certificate = makeCertificate(temporaryDirectory(), 'mta.example.net', 30);
		const { trial } = await serve({ EHLO: '250-mta\r\n250 STARTTLS', MAIL: '530 5.7.0 auth' }, certificate);
		expect(trial).toMatchObject({
			result: 'refused',
			certificate: { names: ['mta.example.net'], distrust: expect.stringMatching(/SELF_SIGNED/) as string }
		});
	});
});
