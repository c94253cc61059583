import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../host/file-errors.ts';
import type { Host } from '../host/host.ts';
import { maildirOf } from '../host/mailbox.ts';
import { withDirectory, withDirectoryIfThere } from './maildir.ts';
import type { Mailbox, Message } from './maildir.ts';

/** Files that are removed side by side: as many as the pool of threads takes at once. */
const atOnce = 8;

export interface Removed {
	messages: number;
	bytes: number;
}

/**
 * Removes messages and forgets Dovecot's and other servers' sum (`maildirsize`), which the next of them to look makes anew
 * (Maildir++, http://www.inter7.com/courierimap/README.maildirquota.html). What a mail program moved or removed in between
 * is left alone. Dovecot's index notices by itself, since the directory's time moves.
 */
export async function removeMessages(host: Host, mailbox: Mailbox, messages: Message[]): Promise<Removed> {
	const removed = { messages: 0, bytes: 0 };
	if (messages.length === 0) return removed;
	await withDirectory(maildirOf(mailbox.mailRoot, mailbox.id), async (root) => {
		for (const inPlace of byPlace(messages)) {
			const [{ folder, part }] = inPlace;
			await withFolder(root, folder, (at) =>
				withDirectoryIfThere(join(at, part), async (inside) => {
					for (let from = 0; from < inPlace.length; from += atOnce) {
						await host.faultPoint('mail.remove');
						const some = inPlace.slice(from, from + atOnce);
						const gone = await Promise.all(some.map(({ name }) => isRemoved(inside, name)));
						for (const message of some.filter((_, index) => gone[index])) count(removed, message);
					}
				})
			);
		}
		await isRemoved(root, 'maildirsize');
	});
	return removed;
}

function count(removed: Removed, { bytes }: Message): void {
	removed.messages += 1;
	removed.bytes += bytes;
}

type OfOnePlace = [Message, ...Message[]];

const byPlace = (messages: Message[]) =>
	[...Map.groupBy(messages, ({ folder, part }) => `${folder}/${part}`).values()] as OfOnePlace[];

/** The inbox is the opened directory itself. */
const withFolder = (root: string, folder: string, work: (at: string) => Promise<unknown>) =>
	folder === '' ? work(root) : withDirectoryIfThere(join(root, folder), work);

/** unlink(2) never follows a link in the last part; the directory is one that was opened. */
async function isRemoved(inside: string, name: string): Promise<boolean> {
	try {
		await unlink(join(inside, name));
		return true;
	} catch (error) {
		if (errnoOf(error) === 'ENOENT') return false;
		throw error;
	}
}
