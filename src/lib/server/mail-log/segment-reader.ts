import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { createDecoder } from './decoder.ts';
import { createLineSplitter } from './lines.ts';
import type { Line } from './lines.ts';

const pieceBytes = 16_384;
/** RFC 8878 3.1.1 and 3.1.2: a frame, or a skippable frame. */
const isZstd = (head: Buffer) =>
	head.length < 4 || head.readUInt32LE(0) === 0xfd2fb528 || head.readUInt32LE(0) >>> 4 === 0x184d2a5;

/** A file as it was when it was opened. */
export interface OpenSegment {
	handle: FileHandle;
	inode: string;
	bytes: number;
	/** KumoMTA takes the right to write away when nothing more will come. */
	isClosed: boolean;
}

/** Follows no link and waits for no writer. Undefined when it is no regular file (any more). */
export async function openSegment(path: string): Promise<OpenSegment | undefined> {
	let handle: FileHandle;
	try {
		handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
	} catch (error) {
		if (['ENOENT', 'ELOOP', 'ENXIO'].includes(String((error as { code?: unknown }).code))) return undefined;
		throw error;
	}
	const stat = await handle.stat();
	if (stat.isFile())
		return {
			handle,
			inode: `${stat.dev}:${stat.ino}`,
			bytes: stat.size,
			// Looked at before reading: what is appended later is read at the next turn.
			isClosed: (stat.mode & 0o222) === 0
		};
	await handle.close();
	return undefined;
}

/** Reads one segment from its start, in as many turns as it takes; it never goes back. */
export interface SegmentReader {
	readonly inode: string;
	/** Compressed bytes read so far. */
	readonly position: number;
	/** Lines read so far. */
	lines: number;
	/** SHA-256 of the first record; undefined before it was read. */
	id: string | undefined;
	/** Lines that are counted, as the database said; undefined when it knows nothing of this segment. */
	counted: number | undefined;
	/** A segment whose bytes are no zstd at all was never KumoMTA's. */
	isForeign: boolean;
	/**
	 * The lines of one more piece; undefined at the end of what the file holds.
	 * @throws DamagedSegment
	 */
	readPiece: (file: OpenSegment) => Promise<AsyncGenerator<Line[]> | undefined>;
	/** What stands behind the last line break. */
	rest: () => Line;
	close: () => void;
}

export function createSegmentReader(inode: string): SegmentReader {
	const decoder = createDecoder();
	const splitter = createLineSplitter();
	let position = 0;

	async function* linesOf(bytes: Buffer): AsyncGenerator<Line[]> {
		for await (const out of decoder.decode(bytes)) yield splitter.push(out);
	}

	return {
		inode,
		get position() {
			return position;
		},
		lines: 0,
		id: undefined,
		counted: undefined,
		isForeign: false,
		async readPiece({ handle, bytes }) {
			if (position >= bytes) return undefined;
			const piece = Buffer.alloc(Math.min(pieceBytes, bytes - position));
			const { bytesRead } = await handle.read(piece, 0, piece.length, position);
			if (bytesRead === 0) return undefined;
			if (position === 0 && !isZstd(piece.subarray(0, bytesRead))) this.isForeign = true;
			position += bytesRead;
			return linesOf(piece.subarray(0, bytesRead));
		},
		rest: () => splitter.rest(),
		close: () => decoder.close()
	};
}

/** The identity of a segment by its first line, which holds a moment and a random id. */
export const segmentId = (line: string) => createHash('sha256').update(line).digest('hex');
