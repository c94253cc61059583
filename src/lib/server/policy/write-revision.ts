import { constants } from 'node:fs';
import { copyFile, link, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { manifestText, placeholder } from './build-revision.ts';
import { sha256 } from './render.ts';
import type { Manifest } from './revision.ts';

export interface WriteTarget {
	/** `<number>-<hash12>` */
	revision: string;
	/** A directory.sqlite with the same data, to be linked instead of copied. */
	linkDirectoryFrom?: string | null;
	mode?: number;
}

/** Copies a revision in the making to its own place, under its own name. */
export async function writeRevision(
	from: string,
	built: Manifest,
	to: string,
	{ revision, linkDirectoryFrom = null, mode = 0o640 }: WriteTarget
): Promise<Manifest> {
	const manifest: Manifest = { ...built, revision, files: [] };
	for (const file of built.files) {
		const target = join(to, file.path);
		if (file.path === 'directory.sqlite') {
			if (linkDirectoryFrom === null) await copySynced(join(from, file.path), target, mode);
			else await link(linkDirectoryFrom, target);
			manifest.files.push(linkDirectoryFrom === null ? file : await fileOf(file.path, target));
			continue;
		}
		let content: string | Buffer = await readFile(join(from, file.path));
		if (file.path === 'node.toml')
			content = content.toString().replace(`revision = "${placeholder(built.hash)}"\n`, `revision = "${revision}"\n`);
		await writeSynced(target, content, mode);
		manifest.files.push({ path: file.path, bytes: Buffer.byteLength(content), sha256: sha256(content) });
	}
	await writeSynced(join(to, 'manifest.json'), manifestText(manifest), mode);
	return manifest;
}

/** Another build of SQLite writes the same rows as other bytes. */
async function fileOf(path: string, target: string): Promise<Manifest['files'][number]> {
	const content = await readFile(target);
	return { path, bytes: content.length, sha256: sha256(content) };
}

async function copySynced(from: string, to: string, mode: number): Promise<void> {
	await copyFile(from, to, constants.COPYFILE_EXCL);
	const handle = await open(to, 'r+');
	try {
		await handle.chmod(mode);
		await handle.sync();
	} finally {
		await handle.close();
	}
}

async function writeSynced(path: string, content: string | Buffer, mode: number): Promise<void> {
	const handle = await open(path, 'wx', mode);
	try {
		await handle.writeFile(content);
		await handle.chmod(mode);
		await handle.sync();
	} finally {
		await handle.close();
	}
}
