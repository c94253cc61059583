import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { maskText } from './masked-text.ts';
import type { Manifest } from './revision.ts';

export interface PreviewFile {
	path: string;
	bytes: number;
	/** Lower-case hex. */
	sha256: string;
	/** Null unless it is text of at most 64 KB. */
	content: string | null;
}

export const shownBytes = 64 * 1024;

/**
 * The files of a revision as an operator may see them: the directory is shown as changes, a verifier never, and what
 * somebody else wrote only masked.
 */
export async function previewFiles(directory: string, { files }: Manifest): Promise<PreviewFile[]> {
	return Promise.all(files.map(async (file) => ({ ...file, content: await contentOf(directory, file) })));
}

async function contentOf(directory: string, { path, bytes }: Manifest['files'][number]): Promise<string | null> {
	if (path === 'directory.sqlite' || bytes > shownBytes) return null;
	const raw = await readFile(join(directory, path));
	try {
		const text = new TextDecoder('utf-8', { fatal: true }).decode(raw);
		return path === 'node.toml' ? withoutCredential(text) : path === 'custom.lua' ? maskText(text) : text;
	} catch {
		return null;
	}
}

const comparedBytes = 1024 * 1024;

/** The text of a file for a comparison, without the credential; undefined when it is too large or no text. */
export function reviewText(raw: Uint8Array, name: string): string | undefined {
	if (raw.length > comparedBytes) return undefined;
	try {
		const text = new TextDecoder('utf-8', { fatal: true }).decode(raw);
		return name === 'node.toml' ? withoutCredential(text) : text;
	} catch {
		return undefined;
	}
}

export const textForReview = async (path: string) => reviewText(await readFile(path), basename(path));

/** smol-toml writes the credential as a table of its own, one field a line. */
function withoutCredential(toml: string): string {
	return toml.replace(/(^\[http\.credential\]\n)((?:[^\n[][^\n]*\n)+)/m, (_, head: string, fields: string) => {
		return head + fields.replaceAll(/= .*$/gm, '= "not shown"');
	});
}
