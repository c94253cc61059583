import type { Owner } from '../host/files.ts';
import { maildirOf } from '../host/mailbox.ts';

/** An account that may sign in. */
export interface Login {
	id: string;
	address: string;
	/** bcrypt in modular crypt format. */
	hash: string;
	/** Bytes. */
	quota: number;
}

const bcrypt = /^\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}$/;
/** Dot-atom and host name, lower case: neither colon nor white space, which separate here. */
const mailAddress =
	/^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[a-z0-9_](?:[a-z0-9._-]{0,251}[a-z0-9_])?$/;

export interface PasswdFile {
	text: string;
	/** Addresses that the format cannot hold: a line that begins with # is a comment. */
	leftOut: string[];
}

/**
 * A passwd-file of Dovecot (https://doc.dovecot.org/2.3/configuration_manual/authentication/passwd_file/), ordered by
 * address: whoever has no line cannot sign in.
 * @throws Error when a value is not what a revision may hold.
 */
export function renderPasswd(
	logins: Login[],
	{ mailRoot, mailUser }: { mailRoot: string; mailUser: Owner }
): PasswdFile {
	const leftOut: string[] = [];
	const lines: string[] = [];
	for (const login of logins.toSorted((a, b) => (a.address < b.address ? -1 : 1))) {
		if (login.address.startsWith('#')) leftOut.push(login.address);
		else lines.push(lineOf(login, maildirOf(mailRoot, login.id), mailUser));
	}
	return { text: lines.join(''), leftOut };
}

/** A line whose user can sign in from this machine only. */
export const localOnly = 'allow_nets=127.0.0.1/32,::1/128';

export function lineOf(
	{ address, hash, quota }: Omit<Login, 'id'>,
	home: string,
	{ uid, gid }: Owner,
	extra = ''
): string {
	if (!mailAddress.test(address) || !bcrypt.test(hash) || !Number.isSafeInteger(quota) || quota < 1)
		throw new Error('A bounce account has a value that a passwd-file may not hold.');
	if (!/^\/[A-Za-z0-9._/-]+$/.test(home)) throw new Error('A mailbox has a path that a passwd-file may not hold.');
	const fields = `userdb_quota_rule=*:bytes=${quota}${extra && ` ${extra}`}`;
	return `${address}:{BLF-CRYPT}${hash}:${uid}:${gid}::${home}::${fields}\n`;
}
