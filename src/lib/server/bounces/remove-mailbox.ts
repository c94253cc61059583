import type { Dirent } from 'node:fs';
import { rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../host/file-errors.ts';
import type { Host } from '../host/host.ts';
import { maildirOf } from '../host/mailbox.ts';
import { entriesOf, withDirectory } from './maildir.ts';
import type { Mailbox } from './maildir.ts';

/** Maildir++ nests three deep; what is deeper nobody of ours made. */
const maxDepth = 8;

/**
 * Removes the whole mailbox of an account that is gone. A link in it is removed, never followed.
 * @param isLate says when to stop: the rest goes with the next call.
 * @returns whether nothing is left, but perhaps an empty directory that only root may remove.
 * @throws an errno error, ENOTEMPTY among them when a delivery came in between.
 */
export async function removeMailbox(
	host: Host,
	{ mailRoot, id }: Mailbox,
	isLate: () => boolean = () => false
): Promise<boolean> {
	const path = maildirOf(mailRoot, id);
	try {
		if (!(await isEmptied(path, { host, isLate, depth: 0 }))) return false;
		await removeEmptied(path);
	} catch (error) {
		if (errnoOf(error) === 'ENOENT') return true;
		// A link, or a file, in the place of the directory: it goes, and what it leads to stays.
		if (['ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) await unlink(path);
		else throw error;
	}
	return true;
}

/** The mail root may belong to root alone, while the mailboxes in it are open to the panel. */
async function removeEmptied(path: string): Promise<void> {
	try {
		await rmdir(path);
	} catch (error) {
		if (!['EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) throw error;
	}
}

interface Walk {
	host: Host;
	isLate: () => boolean;
	depth: number;
}

async function isEmptied(path: string, walk: Walk): Promise<boolean> {
	if (walk.depth > maxDepth) throw Object.assign(new Error('too deep'), { code: 'ENAMETOOLONG' });
	return withDirectory(path, async (at) => {
		for await (const entry of await entriesOf(at)) {
			if (walk.isLate() || !(await isEntryRemoved(at, entry, walk))) return false;
		}
		return true;
	});
}

async function isEntryRemoved(at: string, entry: Dirent, walk: Walk): Promise<boolean> {
	const path = join(at, entry.name);
	if (!entry.isDirectory()) {
		await walk.host.faultPoint('mail.remove');
		await unlink(path);
		return true;
	}
	if (!(await isEmptied(path, { ...walk, depth: walk.depth + 1 }))) return false;
	await rmdir(path);
	return true;
}
