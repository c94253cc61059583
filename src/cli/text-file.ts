import { open } from 'node:fs/promises';
import { UsageError } from './command.ts';

/**
 * The whole text of a file, or of standard input when its name is `-`.
 * @throws UsageError when it cannot be read, is larger than `maxBytes`, or is not UTF-8.
 */
export async function readTextFile(path: string, maxBytes: number): Promise<string> {
	const bytes = path === '-' ? await gather(process.stdin, maxBytes) : await readFile(path, maxBytes);
	try {
		return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
	} catch {
		throw new UsageError('The file is not UTF-8 text. Nothing was changed. Save it as UTF-8.');
	}
}

async function readFile(path: string, maxBytes: number): Promise<Buffer> {
	try {
		const file = await open(path);
		try {
			if (!(await file.stat()).isFile()) throw new UsageError(`${path} is no regular file. Nothing was changed.`);
			return await gather(file.createReadStream({ autoClose: false }), maxBytes);
		} finally {
			await file.close();
		}
	} catch (error) {
		if (error instanceof UsageError) throw error;
		const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
		const may = code === 'EACCES' ? ` The panel's user must be able to read it; or give it as standard input: -` : '';
		throw new UsageError(`${path} cannot be read (${code}). Nothing was changed.${may}`);
	}
}

async function gather(stream: AsyncIterable<unknown>, maxBytes: number): Promise<Buffer> {
	const chunks: Buffer[] = [];
	let bytes = 0;
	for await (const chunk of stream as AsyncIterable<Buffer>) {
		bytes += chunk.length;
		if (bytes > maxBytes)
			throw new UsageError(`The file holds more than ${maxBytes / 1_048_576} MB. Nothing was changed. Split it.`);
		chunks.push(chunk);
	}
	return Buffer.concat(chunks);
}
