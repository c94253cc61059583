import { statfs } from 'node:fs/promises';

export interface DiskSpace {
	totalBytes: number;
	/** What others than root may still use. */
	freeBytes: number;
	/** Of the files that can be made at all; 1 where the file system counts none. */
	freeFilesShare: number;
}

/** The file system that a path lies on (statfs(2)); undefined when there is no such path or it cannot be asked. */
export async function diskSpace(path: string): Promise<DiskSpace | undefined> {
	try {
		const { bsize, blocks, bavail, files, ffree } = await statfs(path);
		return { totalBytes: bsize * blocks, freeBytes: bsize * bavail, freeFilesShare: files === 0 ? 1 : ffree / files };
	} catch {
		return undefined;
	}
}
