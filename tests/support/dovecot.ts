import { execFileSync, spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import type { Host } from '../../src/lib/server/host/host.ts';
import { createHost } from '../../src/lib/server/host/host.ts';
import type { FaultPoint } from '../../src/lib/server/host/files.ts';
import { temporaryDirectory } from './app.ts';
import { testHost } from './policy-app.ts';

/** Numbers that no user of this machine has: no account is made for a test. */
export const kumod = { uid: 60_001, gid: 60_001 };
export const vmail = { uid: 60_002, gid: 60_002 };

const bin = '/usr/sbin/dovecot';

/** Why a real Dovecot cannot be tried here; undefined: it can. It is installed from the distribution where it is missing. */
export function whyNoDovecot(): string | undefined {
	if (process.getuid?.() !== 0) return 'not root: Dovecot changes to other users';
	if (!existsSync(bin) && existsSync('/usr/bin/apt-get')) installDovecot();
	if (!existsSync(bin)) return 'no Dovecot, and none to be had from the distribution';
	const version = execFileSync(bin, ['--version'], { encoding: 'utf8' });
	return version.startsWith('2.3.') ? undefined : `Dovecot ${version.trim()} is not 2.3`;
}

function installDovecot(): void {
	const packages = ['dovecot-imapd', 'dovecot-pop3d'];
	spawnSync('apt-get', ['install', '-y', '--no-install-recommends', ...packages], {
		stdio: 'ignore',
		timeout: 300_000,
		env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
	});
	// The package may have started its own; the test brings one of its own, elsewhere.
	if (existsSync('/usr/bin/doveadm')) spawnSync('doveadm', ['stop'], { stdio: 'ignore' });
}

/** This machine with real files and a real Dovecot, but users that exist in numbers only, and no systemd. */
export function mailHost(faultPoint?: FaultPoint): Host {
	const real = createHost();
	const findUser = (name: string) => ({ kumod, vmail })[name] ?? real.findUser(name);
	return { ...testHost(faultPoint), findUser };
}

const freePort = () =>
	new Promise<number>((done) => {
		const server = createServer().listen(0, '127.0.0.1', () => {
			const address = server.address();
			server.close(() => done(typeof address === 'object' && address !== null ? address.port : 0));
		});
	});

export interface MailPlace {
	env: Record<string, string>;
	etc: string;
	mailRoot: string;
	imapPort: number;
	pop3Port: number;
	log: () => string;
	/** Starts Dovecot on what was applied, and waits until it listens. */
	start: () => Promise<void>;
	stop: () => Promise<void>;
}

export const tlsName = 'mta.example.net';

/** Directories, ports and a certificate of its own; everybody may pass through, as through `/etc` and `/var`. */
export async function makeMailPlace(): Promise<MailPlace> {
	const root = temporaryDirectory();
	chmodSync(root, 0o711);
	const [imapPort, pop3Port] = [await freePort(), await freePort()];
	const [kumomta, etc, mailRoot] = [join(root, 'kumomta'), join(root, 'dovecot'), join(root, 'mail')];
	makeCertificate(join(kumomta, 'etc/tls', tlsName));
	const conf = join(etc, 'dovecot.conf');
	let child: ChildProcess | undefined;
	return {
		etc,
		mailRoot,
		imapPort,
		pop3Port,
		env: {
			KUMOMTA_ROOT: kumomta,
			DOVECOT_ETC: etc,
			DOVECOT_BIN: bin,
			MAIL_ROOT: mailRoot,
			IMAP_PORT: String(imapPort),
			POP3_PORT: String(pop3Port)
		},
		log: () => (existsSync(join(etc, 'dovecot.log')) ? readFileSync(join(etc, 'dovecot.log'), 'utf8') : ''),
		async start() {
			child = spawn(bin, ['-F', '-c', conf], { stdio: 'ignore' });
			await waitForPort(imapPort);
		},
		async stop() {
			if (child === undefined || child.exitCode !== null) return;
			const ended = new Promise((done) => child?.once('exit', done));
			child.kill('SIGTERM');
			await ended;
		}
	};
}

function makeCertificate(directory: string): void {
	mkdirSync(directory, { recursive: true });
	const [key, certificate] = [join(directory, 'privkey.pem'), join(directory, 'fullchain.pem')];
	const wish = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '400'];
	const name = ['-subj', `/CN=${tlsName}`, '-addext', `subjectAltName=DNS:${tlsName}`];
	execFileSync('openssl', [...wish, ...name, '-keyout', key, '-out', certificate], { stdio: 'ignore' });
	for (const path of [key, certificate]) {
		chownSync(path, 0, kumod.gid);
		chmodSync(path, 0o640);
	}
}

async function waitForPort(port: number): Promise<void> {
	for (let tries = 0; tries < 100; tries += 1) {
		if (await answers(port)) return;
		await sleep(50);
	}
	throw new Error(`Nothing answers on port ${port}.`);
}

const answers = (port: number) =>
	new Promise<boolean>((done) => {
		const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
		const end = (isThere: boolean) => {
			socket.destroy();
			done(isThere);
		};
		socket.once('data', () => end(true)).once('error', () => end(false));
	});
