import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { certificateOf } from '../host/network.ts';
import type { SeenCertificate } from '../host/network.ts';
import { oneLine } from './http.ts';
import { lastLineOf, readReply } from './smtp-reply.ts';

export interface RelayTarget {
	address: string;
	port: number;
	/** The address of this machine to come from. */
	localAddress: string;
	/** For the whole conversation. */
	timeoutMs: number;
}

/** `accepted`: a stranger's recipient was taken. `deferred`: a 4yz reply, which decides nothing. */
export type RelayTrial =
	| { result: 'refused' | 'accepted' | 'deferred'; at: 'MAIL' | 'RCPT'; reply: string; certificate?: SeenCertificate }
	| { result: 'failed'; detail: string };

/** Reserved for documentation (RFC 2606): no mail box of anybody. */
const envelope = { from: 'relay-test@example.net', to: 'relay-test@example.com' };

/**
 * Asks a listener, as a stranger would and without signing in, to take mail for somebody else (RFC 5321 3.6.2). Ends
 * before DATA, so that nothing is ever handed in. Where STARTTLS is offered, its certificate is looked at too.
 */
export async function tryRelay({ address, port, localAddress, timeoutMs }: RelayTarget): Promise<RelayTrial> {
	const socket = connectTcp({ host: address, port, localAddress });
	const timer = setTimeout(() => socket.destroy(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
	try {
		await positive(readReply(socket));
		const offered = await positive(say(socket, 'EHLO doctor.kumomta-ui.invalid'));
		const trial = await askFor(socket);
		const certificate = /^250[- ]STARTTLS\s*$/im.test(offered) ? await certificateBehind(socket) : undefined;
		if (certificate !== undefined) return { ...trial, certificate };
		await say(socket, 'QUIT').catch(() => '');
		return trial;
	} catch (error) {
		return { result: 'failed', detail: oneLine(error instanceof Error ? error.message : String(error)) };
	} finally {
		clearTimeout(timer);
		socket.on('error', () => {});
		socket.destroySoon();
		setTimeout(() => socket.destroy(), 250).unref();
	}
}

async function askFor(socket: Socket): Promise<Exclude<RelayTrial, { result: 'failed' }>> {
	const mail = await say(socket, `MAIL FROM:<${envelope.from}>`);
	if (!isPositive(mail)) return { result: resultOf(mail), at: 'MAIL', reply: shown(mail) };
	const rcpt = await say(socket, `RCPT TO:<${envelope.to}>`);
	await say(socket, 'RSET').catch(() => '');
	return { result: isPositive(rcpt) ? 'accepted' : resultOf(rcpt), at: 'RCPT', reply: shown(rcpt) };
}

const isPositive = (reply: string) => reply.startsWith('2');
const resultOf = (reply: string) => (reply.startsWith('4') ? ('deferred' as const) : ('refused' as const));
const shown = (reply: string) => oneLine(lastLineOf(reply) ?? '');

/** Says goodbye inside TLS; a listener that ends the conversation meanwhile has no certificate to show. */
async function certificateBehind(socket: Socket): Promise<SeenCertificate | undefined> {
	try {
		if (!isPositive(await say(socket, 'STARTTLS'))) return undefined;
		const secure = connectTls({ socket, rejectUnauthorized: false });
		await new Promise<void>((resolve, reject) => {
			secure.once('secureConnect', resolve);
			secure.once('error', reject);
			secure.once('close', () => reject(new Error('the connection was closed')));
		});
		secure.on('error', () => {});
		const certificate = certificateOf(secure);
		secure.end('QUIT\r\n');
		return certificate;
	} catch {
		return undefined;
	}
}

function say(socket: Socket, line: string): Promise<string> {
	const answer = readReply(socket);
	socket.write(`${line}\r\n`);
	return answer;
}

async function positive(answer: Promise<string>): Promise<string> {
	const reply = await answer;
	if (isPositive(reply)) return reply;
	throw new Error(`it answered: ${shown(reply)}`);
}
