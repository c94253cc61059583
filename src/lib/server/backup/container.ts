import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes, scrypt } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { z } from 'zod';
import { applierSeal, Secret, SealError } from '../core/secret.ts';
import type { ApplierKey } from '../core/secret.ts';
import { damaged, refused } from './damage.ts';

/**
 * The container: magic line, length of the header (four bytes, big endian), header (JSON), then chunks of AES-256-GCM:
 * 64 KiB of text and a tag of 16 bytes each, the last one shorter or as long. The nonce is the chunk's number (11 bytes)
 * and a byte that is 1 in the last chunk, so that a chunk left out, moved or cut off does not open. The key is derived
 * over the whole header: a changed header opens nothing. docs/decisions/backup-container.md says why.
 */
const magic = Buffer.from('KUMOMTA-UI BACKUP 1\n');
const chunkBytes = 64 * 1024;
const tagBytes = 16;
const maxHeaderBytes = 4096;

/** 128 MiB and about half a second for each guess (RFC 7914 2). Fixed: a file must not choose what opening it costs. */
const cost = { N: 2 ** 17, r: 8, p: 1, maxmem: 256 * 1024 * 1024 };

const part = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`));
const headerShape = z.discriminatedUnion('protection', [
	z.strictObject({ protection: z.literal('passphrase'), salt: part(16) }),
	z.strictObject({ protection: z.literal('recipient'), salt: part(16), sealedKey: z.string().max(1000) }),
	z.strictObject({ protection: z.literal('none'), salt: part(16) })
]);
type Header = z.infer<typeof headerShape>;

export type SealWith = { passphrase: Secret } | { recipient: Buffer } | 'nothing';
export interface OpenWith {
	passphrase?: Secret | undefined;
	key?: ApplierKey | undefined;
}

const sealPurpose = 'backup';

/** Bytes of the file before the first chunk. */
async function newHeader(sealWith: SealWith): Promise<{ bytes: Buffer; key: Buffer }> {
	const salt = randomBytes(16).toString('hex');
	if (sealWith === 'nothing') return withKey({ protection: 'none', salt }, Buffer.alloc(32));
	if ('passphrase' in sealWith)
		return withKey({ protection: 'passphrase', salt }, await stretch(sealWith.passphrase, salt));
	const secret = randomBytes(32);
	const sealedKey = applierSeal(sealWith.recipient).seal(new Secret(secret.toString('hex')), sealPurpose);
	return withKey({ protection: 'recipient', salt, sealedKey }, secret);
}

function withKey(header: Header, secret: Buffer): { bytes: Buffer; key: Buffer } {
	const text = Buffer.from(JSON.stringify(header));
	const length = Buffer.alloc(4);
	length.writeUInt32BE(text.length);
	const bytes = Buffer.concat([magic, length, text]);
	return { bytes, key: payloadKey(secret, header.salt, text) };
}

const payloadKey = (secret: Buffer, salt: string, header: Buffer) =>
	Buffer.from(
		hkdfSync('sha256', secret, Buffer.from(salt, 'hex'), Buffer.concat([Buffer.from('backup 1 '), sha(header)]), 32)
	);

const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest();

function stretch(passphrase: Secret, salt: string): Promise<Buffer> {
	return new Promise((resolve, reject) =>
		scrypt(passphrase.open(), Buffer.from(salt, 'hex'), 32, cost, (error, key) =>
			error ? reject(error) : resolve(key)
		)
	);
}

function nonceOf(number: number, isLast: boolean): Buffer {
	const nonce = Buffer.alloc(12);
	nonce.writeUIntBE(number, 5, 6);
	nonce[11] = isLast ? 1 : 0;
	return nonce;
}

export interface ContainerWriter {
	write(bytes: Buffer): Promise<void>;
	/** Writes the last chunk; without it the file opens nowhere. */
	end(): Promise<void>;
}

/** Writes a container to an empty file, chunk by chunk. */
export async function writeContainer(file: FileHandle, sealWith: SealWith): Promise<ContainerWriter> {
	const { bytes: header, key } = await newHeader(sealWith);
	await writeAll(file, header);
	let number = 0;
	let waiting = Buffer.alloc(0);

	async function seal(text: Buffer, isLast: boolean): Promise<void> {
		const cipher = createCipheriv('aes-256-gcm', key, nonceOf(number++, isLast));
		await writeAll(file, Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]));
	}

	return {
		async write(bytes) {
			waiting = Buffer.concat([waiting, bytes]);
			// The last full chunk waits: only `end` knows that it is the last.
			while (waiting.length > chunkBytes) {
				await seal(waiting.subarray(0, chunkBytes), false);
				waiting = waiting.subarray(chunkBytes);
			}
		},
		end: () => seal(waiting, true)
	};
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
	for (let from = 0; from < bytes.length;) from += (await file.write(bytes, from)).bytesWritten;
}

/**
 * The text of a container, each part proven before it is handed out; that the file ends where it should is proven only
 * when the generator has ended.
 * @throws UserError when the file is no backup, does not open, is damaged or cut off.
 */
export async function* readContainer(file: FileHandle, openWith: OpenWith): AsyncGenerator<Buffer> {
	const { header, text, from } = await readHeader(file);
	const key = payloadKey(await secretOf(header, openWith), header.salt, text);
	const { size } = await file.stat();
	const whole = chunkBytes + tagBytes;
	const count = Math.ceil((size - from) / whole);
	if (count === 0) throw damaged('it ends after its header');
	for (let number = 0; number < count; number += 1) {
		const at = from + number * whole;
		yield openChunk(key, await readExactly(file, at, Math.min(whole, size - at)), number, {
			isLast: number === count - 1,
			header
		});
	}
}

function openChunk(
	key: Buffer,
	chunk: Buffer,
	number: number,
	{ isLast, header }: { isLast: boolean; header: Header }
): Buffer {
	if (chunk.length < tagBytes) throw damaged('it is cut off');
	try {
		const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(number, isLast), { authTagLength: tagBytes });
		decipher.setAuthTag(chunk.subarray(-tagBytes));
		return Buffer.concat([decipher.update(chunk.subarray(0, -tagBytes)), decipher.final()]);
	} catch {
		if (number > 0 || header.protection !== 'passphrase')
			throw damaged(isLast ? 'its end is missing or wrong' : `part ${number + 1} does not open`);
		throw refused(
			'backup-locked',
			'The passphrase does not open this backup, or the beginning of the file was changed.',
			'Give the passphrase that it was made with, or take another copy of the file.'
		);
	}
}

async function readHeader(file: FileHandle): Promise<{ header: Header; text: Buffer; from: number }> {
	const start = await readUpTo(file, 0, magic.length + 4);
	if (start.length < magic.length + 4 || !start.subarray(0, magic.length).equals(magic))
		throw refused('no-backup', 'The file is no backup of this format.', 'Name a file that `kumomta-ui backup` made.');
	const length = start.readUInt32BE(magic.length);
	if (length > maxHeaderBytes) throw damaged('its header is too long');
	const text = await readExactly(file, start.length, length);
	try {
		return { header: headerShape.parse(JSON.parse(text.toString('utf8'))), text, from: start.length + length };
	} catch {
		throw damaged('its header is not readable');
	}
}

async function secretOf(header: Header, { passphrase, key }: OpenWith): Promise<Buffer> {
	if (header.protection === 'none') return Buffer.alloc(32);
	if (header.protection === 'passphrase') {
		if (passphrase !== undefined) return stretch(passphrase, header.salt);
		throw refused(
			'passphrase-needed',
			'The backup is locked with a passphrase.',
			'Give the file that holds it: --passphrase-file.'
		);
	}
	if (key === undefined)
		throw refused(
			'key-needed',
			'The backup is locked to a recipient key.',
			'Give the file of its private half: --key-file.'
		);
	try {
		return Buffer.from(key.open(header.sealedKey, sealPurpose).open(), 'hex');
	} catch (error) {
		if (!(error instanceof SealError)) throw error;
		throw refused(
			'backup-locked',
			'The key does not open this backup, or the header of the file was changed.',
			'Give the private half of the key that it was made for, or take another copy of the file.'
		);
	}
}

async function readExactly(file: FileHandle, at: number, length: number): Promise<Buffer> {
	const bytes = await readUpTo(file, at, length);
	if (bytes.length < length) throw damaged('it is cut off');
	return bytes;
}

async function readUpTo(file: FileHandle, at: number, length: number): Promise<Buffer> {
	const bytes = Buffer.alloc(length);
	let have = 0;
	while (have < length) {
		const { bytesRead } = await file.read(bytes, have, length - have, at + have);
		if (bytesRead === 0) break;
		have += bytesRead;
	}
	return bytes.subarray(0, have);
}
