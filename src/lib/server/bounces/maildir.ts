import { constants } from 'node:fs';
import type { Dirent } from 'node:fs';
import { lstat, open, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../host/file-errors.ts';
import { maildirOf } from '../host/mailbox.ts';

/** A message as its file's name tells it: nothing is read from the file itself. */
export interface Message {
	/** Empty for the inbox, else a folder of Maildir++ (`.Name`). */
	folder: string;
	part: 'new' | 'cur';
	name: string;
	bytes: number;
	/** When it arrived, in milliseconds. */
	at: number;
}

/** Entries that are fetched from a directory at a time: between two fetches others get their turn. */
const entriesAtOnce = 256;
/** IMAP users make folders; nobody makes this many. */
const maxFolders = 200;

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;

/**
 * Opens a directory and hands on a path that stays that very directory, whatever others rename or link meanwhile
 * (proc(5), /proc/self/fd). The last part of `path` is never followed when it is a symbolic link.
 * @throws an errno error: ENOENT, EACCES, ENOTDIR (also for a link).
 */
export async function withDirectory<T>(path: string, work: (at: string) => Promise<T>): Promise<T> {
	const handle = await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	try {
		return await work(`/proc/self/fd/${handle.fd}`);
	} finally {
		await handle.close();
	}
}

/** Undefined when there is no directory of that name, which is no error inside a mailbox: mail programs make and remove. */
export async function withDirectoryIfThere<T>(path: string, work: (at: string) => Promise<T>): Promise<T | undefined> {
	try {
		return await withDirectory(path, work);
	} catch (error) {
		if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) return undefined;
		throw error;
	}
}

/** Entries of an opened directory, one at a time, however many there are. */
export function entriesOf(at: string): Promise<AsyncIterable<Dirent>> {
	return opendir(at, { bufferSize: entriesAtOnce });
}

/** Calls `work` for the inbox and each folder of an account's Maildir. @throws an errno error when there is no Maildir. */
export async function eachFolder(
	{ mailRoot, id }: Mailbox,
	work: (folder: string, at: string) => Promise<void>
): Promise<void> {
	await withDirectory(maildirOf(mailRoot, id), async (root) => {
		await work('', root);
		for (const folder of await foldersIn(root))
			await withDirectoryIfThere(join(root, folder), (at) => work(folder, at));
	});
}

export interface Mailbox {
	mailRoot: string;
	/** The account's id. */
	id: string;
}

async function foldersIn(root: string): Promise<string[]> {
	const folders: string[] = [];
	for await (const entry of await entriesOf(root)) {
		if (entry.name.startsWith('.') && entry.isDirectory()) folders.push(entry.name);
		if (folders.length >= maxFolders) break;
	}
	return folders;
}

/** Shows each message of a mailbox to `visit`, in no order. */
export async function eachMessage(mailbox: Mailbox, visit: (message: Message) => void): Promise<void> {
	await eachFolder(mailbox, async (folder, at) => {
		for (const part of ['new', 'cur'] as const)
			await withDirectoryIfThere(join(at, part), async (inside) => {
				for await (const entry of await entriesOf(inside)) {
					const told = entry.isFile() ? toldByName(entry.name) : undefined;
					const found = told ?? (await readState(inside, entry));
					if (found !== undefined) visit({ folder, part, name: entry.name, ...found });
				}
			});
	});
}

/**
 * `1732450000.M1P2V3I4.host,S=5120:2,S`: seconds of arrival (https://cr.yp.to/proto/maildir.html), and the size as
 * KumoMTA and Dovecot write it (Maildir++). Undefined when the name does not tell both.
 */
export function toldByName(name: string): { at: number; bytes: number } | undefined {
	const at = /^(\d{9,11})\./.exec(name)?.[1];
	const bytes = /,S=(\d{1,15})(?=[,:]|$)/.exec(name)?.[1];
	return at === undefined || bytes === undefined ? undefined : { at: Number(at) * 1000, bytes: Number(bytes) };
}

/** A file whose name does not tell, or an entry of a file system that gives no kinds. Links and the like are no messages. */
async function readState(inside: string, entry: Dirent): Promise<{ at: number; bytes: number } | undefined> {
	if (entry.isDirectory() || entry.isSymbolicLink() || entry.name.startsWith('.')) return undefined;
	try {
		const state = await lstat(join(inside, entry.name));
		return state.isFile() ? { at: Math.trunc(state.mtimeMs), bytes: state.size } : undefined;
	} catch (error) {
		// A mail program moved or removed it in between.
		if (errnoOf(error) === 'ENOENT') return undefined;
		throw error;
	}
}
