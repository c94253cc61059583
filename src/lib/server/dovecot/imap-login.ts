import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import type { Secret } from '../core/secret.ts';
import { oneLine } from '../kumod/http.ts';
import { readUntil } from './imap-lines.ts';

export interface ImapLogin {
	address: string;
	/** Implicit TLS (RFC 8314 3.2): 993 unless Dovecot's configuration says otherwise. */
	port: number;
	/** The name that mail programs connect to, for which the certificate is judged; null: there is none yet. */
	serverName: string | null;
	user: string;
	/** Absent: the connection is tried as far as the greeting. */
	password?: Secret | undefined;
	/** For each stage. */
	timeoutMs: number;
}

const stageNames = ['tcp', 'tls', 'greeting', 'login', 'mailbox'] as const;

export interface LoginStage {
	name: (typeof stageNames)[number];
	status: 'ok' | 'failed' | 'skipped';
	/** One sentence for people; never a part of the password. */
	detail: string;
}

/**
 * Connects as a mail program would: TCP, TLS, greeting and, with a password, login and a look at the inbox. The first
 * stage that fails ends it. The certificate is judged in words and stops nothing: a self-signed one still serves mail.
 */
export async function tryImapLogin(target: ImapLogin): Promise<LoginStage[]> {
	const stages: LoginStage[] = [];
	const sockets: Socket[] = [];
	try {
		for await (const stage of walkStages(target, sockets)) stages.push(stage);
	} catch (error) {
		const name = stageNames[stages.length] ?? 'mailbox';
		stages.push({ name, status: 'failed', detail: failureInWords(name, target, error) });
	} finally {
		for (const socket of sockets) socket.on('error', () => {});
		// What was written last still leaves; then the connection goes, whatever the other side does.
		sockets.at(-1)?.destroySoon();
		setTimeout(() => sockets[0]?.destroy(), 250).unref();
	}
	const rest = stageNames.slice(stages.length);
	const hasFailed = stages.at(-1)?.status === 'failed';
	const why = hasFailed ? 'Not tried, because a stage before it failed.' : 'Needs the password.';
	return [...stages, ...rest.map((name) => ({ name, status: 'skipped' as const, detail: why }))];
}

async function* walkStages(target: ImapLogin, sockets: Socket[]): AsyncGenerator<LoginStage> {
	const { address, port, timeoutMs, user, password } = target;
	const plain = connectTcp({ host: address, port });
	sockets.push(plain);
	await once(plain, 'connect', timeoutMs);
	yield { name: 'tcp', status: 'ok', detail: `Port ${port} is open.` };
	const servername = target.serverName ?? undefined;
	const secure = connectTls({ socket: plain, rejectUnauthorized: false, ...(servername && { servername }) });
	sockets.push(secure);
	await once(secure, 'secureConnect', timeoutMs);
	yield { name: 'tls', status: 'ok', detail: tlsInWords(secure, servername) };
	const greeting = await readUntil(secure, /^\* \S+.*$/m, timeoutMs);
	// RFC 9051 7.1: OK greets; PREAUTH has no place on a listener of passwords; BYE turns away.
	if (!/^\* OK\b/i.test(greeting)) throw new Error(`it answered ${oneLine(greeting)}`);
	yield {
		name: 'greeting',
		status: 'ok',
		detail: `It greets: ${oneLine(greeting.replace(/^\* OK\s*(?:\[[^\]]*\]\s*)?/i, ''))}`
	};
	if (password === undefined) return;
	await signIn(secure, { user, password, timeoutMs });
	yield { name: 'login', status: 'ok', detail: 'User name and password are right.' };
	const status = await command(secure, 'a2', 'STATUS INBOX (MESSAGES)', timeoutMs);
	const count = /^\* STATUS .*MESSAGES (\d+)/im.exec(status)?.[1];
	if (count === undefined) throw new Error('it does not say how many messages the inbox holds');
	yield {
		name: 'mailbox',
		status: 'ok',
		detail: `The inbox opens and holds ${Number(count).toLocaleString('en')} messages.`
	};
	secure.write('a3 LOGOUT\r\n');
}

/** AUTHENTICATE PLAIN (RFC 4616, RFC 9051 6.2.2): base64, so that no sign of a password has to be quoted. */
async function signIn(
	socket: TLSSocket,
	{ user, password, timeoutMs }: { user: string; password: Secret; timeoutMs: number }
): Promise<void> {
	const ready = readUntil(socket, /^(?:\+.*|a1 .*)$/m, timeoutMs);
	socket.write('a1 AUTHENTICATE PLAIN\r\n');
	if (!(await ready).startsWith('+')) throw new LoginRefused('the server takes no PLAIN login');
	const answer = readUntil(socket, /^a1 .*$/m, timeoutMs);
	socket.write(`${Buffer.from(`\0${user}\0${password.open()}`).toString('base64')}\r\n`);
	const code = /^a1 (OK|NO|BAD)\b(?: \[([A-Z-]+)\])?/im.exec(await answer);
	if (code?.[1]?.toUpperCase() !== 'OK') throw new LoginRefused(code?.[2]?.toUpperCase() ?? 'NO');
}

class LoginRefused extends Error {}

async function command(socket: Socket, tag: string, line: string, timeoutMs: number): Promise<string> {
	const answer = readUntil(socket, new RegExp(`^${tag} .*$`, 'm'), timeoutMs);
	socket.write(`${tag} ${line}\r\n`);
	const text = await answer;
	const end = text.trimEnd().split('\n').at(-1) ?? '';
	if (!new RegExp(`^${tag} OK\\b`, 'i').test(end)) throw new Error(`it answered ${oneLine(end.slice(tag.length + 1))}`);
	return text;
}

function once(socket: Socket, event: 'connect' | 'secureConnect', timeoutMs: number): Promise<void> {
	return new Promise((resolve, reject) => {
		const timer = setTimeout(() => reject(new Error(`no answer in ${timeoutMs / 1000} s`)), timeoutMs);
		const end = (settle: () => void) => () => (clearTimeout(timer), settle());
		socket.once(event, end(resolve));
		socket.once('error', (error) => end(() => reject(error))());
		socket.once(
			'close',
			end(() => reject(new Error('the connection was closed')))
		);
	});
}

function tlsInWords(socket: TLSSocket, serverName: string | undefined): string {
	const encrypted = `Encrypted (${socket.getProtocol() ?? 'TLS'})`;
	if (serverName === undefined) return `${encrypted}. This server has no host name, so its certificate was not judged.`;
	if (socket.authorized) return `${encrypted}, with a certificate for ${serverName} that mail programs accept.`;
	const code = String(socket.authorizationError);
	const trouble = certificateTrouble[code] ?? `it is not one that they trust (${oneLine(code)})`;
	return `${encrypted}, but mail programs will complain about the certificate: ${trouble}.`;
}

/** Codes of OpenSSL and Node, as tls.TLSSocket gives them. */
const certificateTrouble: Record<string, string> = {
	DEPTH_ZERO_SELF_SIGNED_CERT: 'this server signed it itself',
	SELF_SIGNED_CERT_IN_CHAIN: 'nobody they know signed it',
	UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'a part of its chain is missing',
	UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'nobody they know signed it',
	CERT_HAS_EXPIRED: 'it has expired',
	CERT_NOT_YET_VALID: 'it is not valid yet',
	ERR_TLS_CERT_ALTNAME_INVALID: 'it is for another name than this server’s'
};

function failureInWords(name: LoginStage['name'], { port }: ImapLogin, error: unknown): string {
	if (error instanceof LoginRefused)
		return error.message === 'AUTHENTICATIONFAILED'
			? 'User name or password is wrong, or the account is not live yet.'
			: `The login was refused (${oneLine(error.message)}). Dovecot’s log says why.`;
	const code = (error as NodeJS.ErrnoException).code;
	if (code === 'ECONNREFUSED') return `Nothing listens on port ${port}: Dovecot is not running, or not set up yet.`;
	const detail = oneLine(error instanceof Error ? error.message : String(error));
	return (
		{
			tcp: 'No connection',
			tls: 'No encryption',
			greeting: 'No greeting',
			login: 'No login',
			mailbox: 'The inbox does not open'
		}[name] + `: ${detail}.`
	);
}
