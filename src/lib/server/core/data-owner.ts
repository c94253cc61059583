import { lchownSync, statSync } from 'node:fs';

/**
 * What root makes in a directory of somebody else belongs to that owner, who could not open it otherwise. Without root
 * nothing happens: it is the process's own already.
 */
export function giveToOwnerOf(directory: string, ...paths: string[]): void {
	if (process.geteuid?.() !== 0) return;
	const { uid, gid } = statSync(directory);
	if (uid !== 0) for (const path of paths) lchownSync(path, uid, gid);
}
