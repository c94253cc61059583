import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, lstat, mkdir, open, readdir, rename, rm, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf, explained } from './file-errors.ts';

export interface Owner {
	uid: number;
	gid: number;
}

export interface Access {
	mode: number;
	/** Absent: stays with the user of this process. */
	owner?: Owner | undefined;
}

export interface FileState {
	kind: 'file' | 'directory' | 'link' | 'other';
	/** Permission bits only. */
	mode: number;
	uid: number;
	gid: number;
	bytes: number;
	modifiedAt: number;
}

/**
 * Files that survive a power cut: whatever a function here has answered is on disk, and at no moment does a reader see
 * half a file. No function follows a symbolic link in the last part of a path.
 */
export interface Files {
	/**
	 * Undefined when there is no such file.
	 * @throws UserError when it is a link or no regular file, or larger than `maxBytes`.
	 */
	readText(path: string, maxBytes?: number): Promise<string | undefined>;
	/** The same, byte for byte. */
	readBytes(path: string, maxBytes?: number): Promise<Buffer | undefined>;
	stat(path: string): Promise<FileState | undefined>;
	/** Names in a directory, sorted; none when there is no directory. */
	list(path: string): Promise<string[]>;
	/** Hex SHA-256, kept as long as inode, size and times of the file stay the same. */
	hashOf(path: string): Promise<string>;
	/** Makes a directory, or gives one that is there the wanted access. */
	makeDirectory(path: string, access: Access): Promise<void>;
	/** Writes a file that must not be there yet. @throws UserError file-exists */
	createFile(path: string, content: string | Uint8Array, access: Access): Promise<void>;
	replaceFile(path: string, content: string | Uint8Array, access: Access): Promise<void>;
	/** Gives a file that another part of this program wrote its access and brings it to the disk. */
	settle(path: string, access: Access): Promise<void>;
	/** Brings a directory's names to the disk. */
	syncDirectory(path: string): Promise<void>;
	rename(from: string, to: string): Promise<void>;
	/** Removes a file or a whole directory; nothing happens when it is gone already. */
	remove(path: string): Promise<void>;
}

/** Runs before each file operation and each named moment of an apply; tests make it fail or end the process. */
export type FaultPoint = (name: string) => void | Promise<void>;

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY } = constants;

/** Opening a FIFO would wait for its writer, and hold a thread of the pool meanwhile; O_NONBLOCK does not (open(2)). */
const toRead = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;

export function createFiles(faultPoint: FaultPoint): Files {
	const hashes = new Map<string, { key: string; hash: string }>();

	async function at<T>(operation: string, path: string, work: () => Promise<T>): Promise<T> {
		try {
			await faultPoint(`file.${operation} ${basename(path)}`);
			return await work();
		} catch (error) {
			throw explained(error, path);
		}
	}

	async function syncDirectory(path: string): Promise<void> {
		await at('sync-directory', path, () => withFile(path, O_RDONLY | O_DIRECTORY, (file) => file.sync()));
	}

	async function writeTemporary(path: string, content: string | Uint8Array, access: Access): Promise<string> {
		const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
		try {
			const file = await at('open', path, () => open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600));
			try {
				await at('write', path, () => file.writeFile(content));
				await at('access', path, () => giveAccess(file, access));
				await at('sync', path, () => file.sync());
			} finally {
				await file.close();
			}
			return temporary;
		} catch (error) {
			await rm(temporary, { force: true });
			throw error;
		}
	}

	/** `place` moves the finished temporary file; it is gone afterwards, whatever happens. */
	async function placed(path: string, temporary: string, place: () => Promise<void>): Promise<void> {
		try {
			await place();
		} finally {
			await rm(temporary, { force: true });
		}
		await syncDirectory(dirname(path));
	}

	async function readBytes(path: string, maxBytes = 4 * 1024 * 1024): Promise<Buffer | undefined> {
		try {
			return await withRegularFile(path, (file) => readWhole(file, maxBytes));
		} catch (error) {
			if (errnoOf(error) === 'ENOENT') return undefined;
			throw explained(error, path);
		}
	}

	return {
		readBytes,
		readText: async (path, maxBytes) => (await readBytes(path, maxBytes))?.toString('utf8'),
		async stat(path) {
			try {
				return stateOf(await lstat(path));
			} catch (error) {
				if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
				throw explained(error, path);
			}
		},
		async list(path) {
			try {
				return (await readdir(path)).sort();
			} catch (error) {
				if (errnoOf(error) === 'ENOENT') return [];
				throw explained(error, path);
			}
		},
		async hashOf(path) {
			try {
				return await withRegularFile(path, async (file) => {
					const { dev, ino, size, mtimeNs, ctimeNs } = await file.stat({ bigint: true });
					const key = [dev, ino, size, mtimeNs, ctimeNs].join(' ');
					const known = hashes.get(path);
					if (known?.key === key) return known.hash;
					const hash = await hashWhole(file);
					if (hashes.size > 100_000) hashes.clear();
					hashes.set(path, { key, hash });
					return hash;
				});
			} catch (error) {
				throw explained(error, path);
			}
		},
		async makeDirectory(path, access) {
			const isNew = await at('make-directory', path, async () => {
				try {
					await mkdir(path, { mode: access.mode });
					return true;
				} catch (error) {
					if (errnoOf(error) === 'EEXIST') return false;
					throw error;
				}
			});
			await at('open', path, () =>
				withFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, (file) => giveAccess(file, access))
			);
			if (isNew) await syncDirectory(dirname(path));
		},
		async createFile(path, content, access) {
			const temporary = await writeTemporary(path, content, access);
			await placed(path, temporary, () => at('link', path, () => link(temporary, path)));
		},
		async replaceFile(path, content, access) {
			const temporary = await writeTemporary(path, content, access);
			await placed(path, temporary, () => at('rename', path, () => rename(temporary, path)));
		},
		async settle(path, access) {
			await at('sync', path, () =>
				withRegularFile(path, async (file) => {
					await giveAccess(file, access);
					await file.sync();
				})
			);
		},
		syncDirectory,
		async rename(from, to) {
			await at('rename', to, () => rename(from, to));
			await syncDirectory(dirname(to));
		},
		async remove(path) {
			await at('remove', path, async () => {
				const state = await lstat(path).catch(() => undefined);
				if (state?.isDirectory()) await rm(path, { recursive: true, force: true });
				else if (state !== undefined) await unlink(path);
			});
		}
	};
}

async function withFile<T>(path: string, flags: number, work: (file: FileHandle) => Promise<T>): Promise<T> {
	const file = await open(path, flags);
	try {
		return await work(file);
	} finally {
		await file.close();
	}
}

/** @throws an error with the code EFTYPE when there is a FIFO, a directory or a device. */
function withRegularFile<T>(path: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
	return withFile(path, toRead, async (file) => {
		const state = await file.stat();
		if (!state.isFile()) throw Object.assign(new Error('not a regular file'), { code: 'EFTYPE' });
		return work(file);
	});
}

/** chmod besides the mode of open, which the umask narrows; owner first, since chown may clear mode bits. */
async function giveAccess(file: FileHandle, { mode, owner }: Access): Promise<void> {
	const now = await file.stat();
	if (owner !== undefined && (now.uid !== owner.uid || now.gid !== owner.gid)) await file.chown(owner.uid, owner.gid);
	if ((now.mode & 0o7777) !== mode || owner !== undefined) await file.chmod(mode);
}

async function readWhole(file: FileHandle, maxBytes: number): Promise<Buffer> {
	const { size } = await file.stat();
	if (size > maxBytes) throw Object.assign(new Error('file too large'), { code: 'EFBIG' });
	return file.readFile();
}

async function hashWhole(file: FileHandle): Promise<string> {
	const hash = createHash('sha256');
	for await (const part of file.createReadStream({ autoClose: false, start: 0 })) hash.update(part as Buffer);
	return hash.digest('hex');
}

function stateOf(state: Awaited<ReturnType<typeof lstat>>): FileState {
	const kind = state.isFile() ? 'file' : state.isDirectory() ? 'directory' : state.isSymbolicLink() ? 'link' : 'other';
	return {
		kind,
		mode: Number(state.mode) & 0o7777,
		uid: Number(state.uid),
		gid: Number(state.gid),
		bytes: Number(state.size),
		modifiedAt: Number(state.mtimeMs)
	};
}
