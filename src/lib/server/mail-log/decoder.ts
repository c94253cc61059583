import { constants, createZstdDecompress } from 'node:zlib';
import type { ZstdDecompress } from 'node:zlib';

/** The bytes are no zstd stream from here on. */
export class DamagedSegment extends Error {
	override name = 'DamagedSegment';
}

/** Decompresses a file as it grows. One that ends inside a frame is waited for, since its end may come. */
export interface Decoder {
	/**
	 * What these compressed bytes make possible to read. The next bytes may come only when all of it was taken.
	 * @throws DamagedSegment
	 */
	decode: (bytes: Buffer) => AsyncGenerator<Buffer>;
	close: () => void;
}

interface Frame {
	stream: ZstdDecompress;
	error: Error | undefined;
	wake: () => void;
}

/** KumoMTA compresses with windows of at most 8 MiB; a frame that asks for more is refused, not obeyed. */
const windowLogMax = 23;

function openFrame(): Frame {
	const stream = createZstdDecompress({
		chunkSize: 65_536,
		params: { [constants.ZSTD_d_windowLogMax]: windowLogMax }
	});
	const frame: Frame = { stream, error: undefined, wake: () => {} };
	stream.on('readable', () => frame.wake());
	stream.on('error', (error) => {
		frame.error = error;
		frame.wake();
	});
	return frame;
}

export function createDecoder(): Decoder {
	let frame = openFrame();

	async function* decode(bytes: Buffer): AsyncGenerator<Buffer> {
		for (let rest = bytes; rest.length > 0;) {
			const before = frame.stream.bytesWritten;
			yield* decodeInto(frame, rest);
			rest = rest.subarray(frame.stream.bytesWritten - before);
			// Node's stream ends with a frame and leaves what stands behind it: the next frame takes a new one.
			if (rest.length > 0) {
				frame.stream.destroy();
				frame = openFrame();
			}
		}
	}

	return { decode, close: () => void frame.stream.destroy() };
}

async function* decodeInto(frame: Frame, bytes: Buffer): AsyncGenerator<Buffer> {
	let isWritten = false;
	frame.stream.write(bytes, () => {
		isWritten = true;
		frame.wake();
	});
	for (;;) {
		const woken = new Promise<void>((resolve) => (frame.wake = resolve));
		const wasWritten = isWritten;
		const out = frame.stream.read() as Buffer | null;
		if (out !== null) yield out;
		else if (frame.error !== undefined) throw new DamagedSegment('The segment cannot be decompressed.');
		else if (wasWritten) return;
		else await woken;
	}
}
