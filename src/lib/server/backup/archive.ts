import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { ContainerWriter } from './container.ts';
import { damaged } from './damage.ts';

/**
 * What the container holds: files one after the other, each as the length of its entry (four bytes, big endian), the
 * entry (JSON) and its bytes; last an entry without a path: the manifest, which names every file again with its hash.
 */
const maxEntryBytes = 64 * 1024 * 1024;
const maxFiles = 1_000_000;

/** Four places and plain names below them: a backup cannot name a file outside. */
const path = z
	.string()
	.max(1000)
	.regex(/^(?:data|database|etc|dovecot)(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._@+-]+){1,8}$/);
const entryShape = z.strictObject({
	path: path.or(z.literal('')),
	mode: z.int().min(0).max(0o777),
	bytes: z.int().min(0)
});

export const manifestShape = z.strictObject({
	format: z.literal(1),
	product: z.string().max(100),
	/** Of the product; absent in the backups of the first builds. */
	version: z.string().max(50).optional(),
	madeAt: z.int().min(0),
	host: z.string().max(300),
	kumomtaRoot: z.string().max(1000),
	dovecotEtc: z.string().max(1000).optional(),
	/** `when` of the newest migration in the database; null when the database is on a libSQL server and not in here. */
	migration: z.int().nullable(),
	withKeys: z.boolean(),
	liveRevision: z.string().max(300).nullable(),
	files: z
		.array(
			z.strictObject({ path, mode: z.int().min(0).max(0o777), bytes: z.int().min(0), sha256: z.string().length(64) })
		)
		.max(maxFiles)
});
export type Manifest = z.infer<typeof manifestShape>;
export type ManifestFile = Manifest['files'][number];

/** Puts one file in, as it is now. @throws Error when it changes its length meanwhile. */
export async function addFile(writer: ContainerWriter, name: string, from: string): Promise<ManifestFile> {
	const file = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
	try {
		const state = await file.stat();
		if (!state.isFile()) throw Object.assign(new Error('not a regular file'), { code: 'EFTYPE' });
		const entry = { path: name, mode: state.mode & 0o777, bytes: state.size };
		await writer.write(framed(entry));
		const hash = createHash('sha256');
		let bytes = 0;
		for await (const part of file.createReadStream({ autoClose: false, start: 0 }) as AsyncIterable<Buffer>) {
			hash.update(part);
			bytes += part.length;
			await writer.write(part);
		}
		if (bytes !== state.size) throw Object.assign(new Error('the file changed while it was read'), { code: 'EBUSY' });
		return { ...entry, sha256: hash.digest('hex') };
	} finally {
		await file.close();
	}
}

export async function addManifest(writer: ContainerWriter, manifest: Manifest): Promise<void> {
	const text = Buffer.from(JSON.stringify(manifest));
	await writer.write(framed({ path: '', mode: 0, bytes: text.length }));
	await writer.write(text);
}

function framed(entry: z.infer<typeof entryShape>): Buffer {
	const text = Buffer.from(JSON.stringify(entry));
	const length = Buffer.alloc(4);
	length.writeUInt32BE(text.length);
	return Buffer.concat([length, text]);
}

/**
 * Lays every file below `directory` (0600, on disk when this returns) and compares them with the manifest.
 * @throws UserError when anything in the container is not as the manifest says.
 */
export async function unpack(
	content: AsyncGenerator<Buffer>,
	placeOf: (path: string) => string,
	onBytes: (bytes: number) => void = () => {}
): Promise<Manifest> {
	const source = pull(content);
	const found = new Map<string, string>();
	for (;;) {
		const entry = await readEntry(source);
		if (entry.path === '') {
			const manifest = parsed(manifestShape, await source.take(entry.bytes));
			if (!(await source.isAtEnd())) throw damaged('something follows its manifest');
			assertSame(manifest, found);
			return manifest;
		}
		if (found.has(entry.path) || found.size >= maxFiles) throw damaged('it names a file twice');
		const to = placeOf(entry.path);
		await mkdir(dirname(to), { recursive: true, mode: 0o700 });
		const file = await open(to, 'wx', 0o600);
		try {
			const hash = createHash('sha256');
			await copyInto(source, file, hash, entry.bytes);
			await file.sync();
			found.set(entry.path, `${entry.mode} ${entry.bytes} ${hash.digest('hex')}`);
		} finally {
			await file.close();
		}
		onBytes(entry.bytes);
	}
}

async function copyInto(source: Source, file: FileHandle, hash: Hash, bytes: number): Promise<void> {
	for (let left = bytes; left > 0;) {
		const part = await source.takeSome(left);
		hash.update(part);
		await file.writeFile(part);
		left -= part.length;
	}
}

function assertSame({ files }: Manifest, found: Map<string, string>): void {
	if (files.length !== found.size) throw damaged('its manifest names other files than it holds');
	for (const { path: name, mode, bytes, sha256 } of files)
		if (found.get(name) !== `${mode} ${bytes} ${sha256}`) throw damaged(`${name} is not what the manifest says`);
}

async function readEntry(source: Source) {
	const length = (await source.take(4)).readUInt32BE();
	if (length > 4096) throw damaged('an entry is too long');
	const entry = parsed(entryShape, await source.take(length));
	if (entry.path === '' && entry.bytes > maxEntryBytes) throw damaged('its manifest is too long');
	return entry;
}

function parsed<T>(shape: z.ZodType<T>, bytes: Buffer): T {
	try {
		return shape.parse(JSON.parse(bytes.toString('utf8')));
	} catch {
		throw damaged('an entry is not readable, or was made by another version');
	}
}

type Source = ReturnType<typeof pull>;

function pull(content: AsyncGenerator<Buffer>) {
	let have: Buffer = Buffer.alloc(0);
	async function takeSome(most: number): Promise<Buffer> {
		while (have.length === 0) {
			const next = await content.next();
			if (next.done === true) throw damaged('it ends before its manifest');
			have = next.value;
		}
		const part = have.subarray(0, most);
		have = have.subarray(part.length);
		return part;
	}
	return {
		takeSome,
		async take(bytes: number): Promise<Buffer> {
			const parts: Buffer[] = [];
			for (let left = bytes; left > 0;) {
				const part = await takeSome(left);
				parts.push(part);
				left -= part.length;
			}
			return Buffer.concat(parts);
		},
		async isAtEnd(): Promise<boolean> {
			return have.length === 0 && (await content.next()).done === true;
		}
	};
}
