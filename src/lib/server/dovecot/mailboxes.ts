import { join } from 'node:path';
import { UserError } from '../core/errors.ts';
import type { Access, Owner } from '../host/files.ts';
import type { Host } from '../host/host.ts';
import { maildirOf } from '../host/mailbox.ts';
import { findMailUser } from './roots.ts';

const parts = ['cur', 'new', 'tmp'];

/** KumoMTA owns a mailbox and writes into it; the group reads and tidies it as Dovecot does, and passes on to what is made in it. */
function mailboxAccess(host: Host): Access {
	const kumod = host.uid() === 0 ? host.findUser('kumod') : undefined;
	return { mode: 0o2771, owner: kumod && { uid: kumod.uid, gid: (findMailUser(host) ?? kumod).gid } };
}

/**
 * Makes the mailboxes that are missing and gives all of them their access: kumod runs without supplementary groups, and
 * could make none below a directory of root. Nothing is removed, nothing outside the mail root is touched, no Linux
 * account is made.
 * @returns how many are new.
 * @throws UserError when something else lies where a mailbox belongs; what was live before is still live then.
 */
export async function prepareMailboxes(host: Host, mailRoot: string, ids: Iterable<string>): Promise<number> {
	let made = 0;
	let isRootReady = false;
	for (const id of ids) {
		const directory = maildirOf(mailRoot, id);
		if (!isRootReady) await prepareMailRoot(host, mailRoot);
		isRootReady = true;
		made += await prepareMaildir(host, directory);
	}
	return made;
}

/** Everybody may pass through, nobody may list who has mail. */
export async function prepareMailRoot(host: Host, mailRoot: string): Promise<void> {
	const state = await host.files.stat(mailRoot);
	if (state !== undefined && state.kind !== 'directory')
		throw new UserError(
			'PRECONDITION_FAILED',
			`${mailRoot} is not a directory. The live policy was not touched. Put a directory in its place, or set MAIL_ROOT to where it leads.`,
			{ reason: 'mail-root' }
		);
	// One that is there may be shared with others: its access is theirs.
	if (state !== undefined) return;
	const owner: Owner | undefined = host.uid() === 0 ? { uid: 0, gid: 0 } : undefined;
	await host.files.makeDirectory(mailRoot, { mode: 0o711, owner });
}

/** Answers 1 when it is new. Its parent must be ready, and nobody but root may rename in it. */
export async function prepareMaildir(host: Host, directory: string): Promise<0 | 1> {
	const access = mailboxAccess(host);
	const isNew = (await host.files.stat(directory)) === undefined;
	for (const path of [directory, ...parts.map((part) => join(directory, part))]) {
		if (!(await isReady(host, path, access))) await host.files.makeDirectory(path, access);
	}
	return isNew ? 1 : 0;
}

async function isReady(host: Host, path: string, { mode, owner }: Access): Promise<boolean> {
	const state = await host.files.stat(path);
	if (state?.kind !== 'directory' || state.mode !== mode) return false;
	return owner === undefined || (state.uid === owner.uid && state.gid === owner.gid);
}
