import { lstat, opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../host/file-errors.ts';

export type Listing = { state: 'absent' | 'unreadable'; code: string } | { state: 'listed' };

/**
 * Names each file that may be a segment, in portions, so that a hundred thousand of them hold nobody up.
 * @param isUnchanged says by the directory's time that nothing came or went: then none is named.
 */
export async function listDirectory(
	path: string,
	{ isUnchanged, take }: { isUnchanged: (modified: bigint) => boolean; take: (name: string) => void }
): Promise<Listing> {
	try {
		const { mtimeNs } = await stat(path, { bigint: true });
		if (isUnchanged(mtimeNs)) return { state: 'listed' };
		for await (const entry of await opendir(path, { bufferSize: 1000 }))
			if (!entry.name.startsWith('.') && entry.isFile()) take(entry.name);
		return { state: 'listed' };
	} catch (error) {
		const code = errnoOf(error) ?? 'unknown';
		return { state: code === 'ENOENT' ? 'absent' : 'unreadable', code };
	}
}

/** Inode and size, as one text, of each file that is there, by name. */
export async function lookAt(directory: string, names: string[]): Promise<Map<string, string>> {
	const found = new Map<string, string>();
	await Promise.all(
		names.map(async (name) => {
			const file = await lstat(join(directory, name)).catch(() => undefined);
			if (file?.isFile()) found.set(name, `${file.dev}:${file.ino} ${file.size}`);
		})
	);
	return found;
}
