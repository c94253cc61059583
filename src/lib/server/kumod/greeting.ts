import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { oneLine } from './http.ts';
import { expectReply } from './smtp-reply.ts';

export interface ListenerToGreet {
	address: string;
	port: number;
	/** Submission: STARTTLS (RFC 3207) must be offered and a second EHLO must be answered inside TLS. */
	withTls: boolean;
	timeoutMs: number;
}

export type Greeting = { ok: true; banner: string } | { ok: false; detail: string };

const ehlo = 'EHLO probe.kumomta-ui.invalid\r\n';

/**
 * Talks to a listener as a client would (RFC 5321 3.1): greeting, EHLO, for submission also STARTTLS and EHLO again, then
 * QUIT. The certificate is not judged here: a self-signed one still greets.
 */
export async function greetListener({ address, port, withTls, timeoutMs }: ListenerToGreet): Promise<Greeting> {
	const plain = connectTcp({ host: reachable(address), port });
	let last: Socket = plain;
	const timer = setTimeout(() => last.destroy(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
	try {
		const banner = await expectReply(plain, 220);
		const offered = await command(plain, ehlo, 250);
		if (withTls) {
			if (!/^250[- ]STARTTLS\s*$/im.test(offered)) throw new Error('it does not offer STARTTLS');
			await command(plain, 'STARTTLS\r\n', 220);
			last = connectTls({ socket: plain, rejectUnauthorized: false });
			await command(last, ehlo, 250);
		}
		last.write('QUIT\r\n');
		return { ok: true, banner: oneLine(banner) };
	} catch (error) {
		return { ok: false, detail: oneLine(error instanceof Error ? error.message : String(error)) };
	} finally {
		clearTimeout(timer);
		last.on('error', () => {});
		plain.on('error', () => {});
		last.destroySoon();
		setTimeout(() => plain.destroy(), 250).unref();
	}
}

/** A wildcard listener is asked on loopback. */
function reachable(address: string): string {
	return address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
}

function command(socket: Socket, line: string, code: number): Promise<string> {
	const answer = expectReply(socket, code);
	socket.write(line);
	return answer;
}
