import { join } from 'node:path';
import type { Access, Owner } from '../host/files.ts';
import type { Host } from '../host/host.ts';

/** Where Dovecot's files live: fixed names below one directory, never a path from the outside. */
export interface DovecotRoots {
	etc: string;
	/** Dovecot's main file; the rename that brings it here makes a revision live. */
	conf: string;
	/** The bytes that were live before the present ones. */
	previous: string;
	/** The distribution's own file, kept when the panel took over. */
	before: string;
	/** A directory for each staged revision. */
	revisions: string;
	/** Null: Dovecot's own defaults. A Dovecot of another directory must not meet the system's. */
	baseDir: string | null;
	log: string | null;
}

/** Where the distributions' packages have it. */
export const systemEtc = '/etc/dovecot';

export function dovecotRoots(etc: string): DovecotRoots {
	const isSystem = etc === systemEtc;
	const conf = join(etc, 'dovecot.conf');
	return {
		etc,
		conf,
		previous: `${conf}.previous`,
		before: `${conf}.before-kumomta-ui`,
		revisions: join(etc, 'kumomta-ui'),
		baseDir: isSystem ? null : join(etc, 'run'),
		log: isSystem ? null : join(etc, 'dovecot.log')
	};
}

/** This machine's Dovecot, as far as the panel knows it. Plain values: a process of root can use them alone. */
export interface DovecotPlace {
	host: Host;
	roots: DovecotRoots;
	/** Absolute path of `dovecot`; undefined when it is not installed. */
	bin: string | undefined;
	mailRoot: string;
	ports: { imap: number; pop3: number };
	/** For the probe, in milliseconds. */
	patience: { loginMs: number; pauseMs: number };
}

/** What the environment says about mailboxes. */
export interface DovecotEnv {
	dovecotEtc: string;
	dovecotBin: string | undefined;
	mailRoot: string;
	imapPort: number;
	pop3Port: number;
}

export function dovecotPlace(host: Host, env: DovecotEnv): DovecotPlace {
	return {
		host,
		roots: dovecotRoots(env.dovecotEtc),
		bin: env.dovecotBin,
		mailRoot: env.mailRoot,
		ports: { imap: env.imapPort, pop3: env.pop3Port },
		patience: { loginMs: 30_000, pauseMs: 250 }
	};
}

/** Dovecot reads its main file as root, and the passwd-files as its own user. */
export interface DovecotAccess {
	directory: Access;
	conf: Access;
	passwd: Access;
}

/** Without root (the sandbox) everything stays the process's own. */
export function dovecotAccess(host: Host): DovecotAccess {
	const dovecot = host.uid() === 0 ? host.findUser('dovecot') : undefined;
	const shared = dovecot && { uid: 0, gid: dovecot.gid };
	return {
		directory: { mode: 0o750, owner: shared },
		conf: { mode: 0o640, owner: shared },
		passwd: { mode: 0o640, owner: shared }
	};
}

/** The user that reads mail for everybody: no account has a Linux user of its own. */
export function findMailUser(host: Host): Owner | undefined {
	return host.findUser('vmail');
}
