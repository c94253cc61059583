import { constants, createZstdCompress, zstdCompressSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { createDecoder, DamagedSegment } from './decoder.ts';

async function decodeAll(bytes: Buffer, step: number): Promise<string> {
	const decoder = createDecoder();
	const parts: Buffer[] = [];
	try {
		for (let at = 0; at < bytes.length; at += step)
			for await (const out of decoder.decode(bytes.subarray(at, at + step))) parts.push(out);
	} catch (error) {
		if (!(error instanceof DamagedSegment)) throw error;
		parts.push(Buffer.from('!'));
	} finally {
		decoder.close();
	}
	return Buffer.concat(parts).toString();
}

const one = zstdCompressSync('first\n');
const two = zstdCompressSync('second\n');
const checked = zstdCompressSync('sum\n', { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
const wide = zstdCompressSync('wide\n', { params: { [constants.ZSTD_c_windowLog]: 27 } });

it.each([1, 3, 8, 1000])('whole, cut, joined and damaged streams, in pieces of %i bytes', async (step) => {
	const decoded = (...parts: Buffer[]) => decodeAll(Buffer.concat(parts), step);
	expect(await decoded(one)).toBe('first\n');
	expect(await decoded(one, two, one)).toBe('first\nsecond\nfirst\n');
	expect(await decoded(one, two.subarray(0, -3))).toMatch(/^first\n/);
	expect(await decoded(one, Buffer.from('not compressed'))).toBe('first\n!');
	expect(await decoded(Buffer.from('not compressed'))).toBe('!');
	expect(await decoded(checked, one)).toBe('sum\nfirst\n');
	expect(await decoded(checked.with(-1, checked.at(-1)! ^ 1) as Buffer)).toMatch(/!$/);
	expect(await decoded(wide)).toMatch(/^(?:wide\n|!)$/);
});

it('bytes of a growing file are read as soon as their block is there', async () => {
	const made: Buffer[] = [];
	const compress = createZstdCompress().on('data', (part: Buffer) => made.push(part));
	const decoder = createDecoder();
	let seen = '';
	for (let number = 0; number < 20; number += 1) {
		await new Promise<void>((resolve) => compress.write(`${number}\n`, () => compress.flush(() => resolve())));
		for await (const out of decoder.decode(Buffer.concat(made.splice(0)))) seen += out.toString();
		expect(seen.endsWith(`${number}\n`)).toBe(true);
	}
	compress.destroy();
	decoder.close();
});

it('what expands a thousandfold arrives in pieces that the reader asks for', async () => {
	const decoder = createDecoder();
	let size = 0;
	for await (const out of decoder.decode(zstdCompressSync(Buffer.alloc(50_000_000)))) {
		size += out.length;
		expect(out.length).toBeLessThanOrEqual(262_144);
	}
	expect(size).toBe(50_000_000);
	decoder.close();
});
