import { createGunzip, createGzip } from 'node:zlib';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import type { Writable } from 'node:stream';
import { UserError } from '../../core/errors.ts';
import { endLine, requestLimits } from './request.ts';

/** Packs one JSON value a line, and says at the end that this is all. */
export async function packLines(values: Iterable<unknown> | AsyncIterable<unknown>, into: Writable): Promise<void> {
	await pipeline(Readable.from(textOf(values), { objectMode: false, highWaterMark: 262_144 }), createGzip(), into);
}

async function* textOf(values: Iterable<unknown> | AsyncIterable<unknown>): AsyncGenerator<string> {
	let chunk = '';
	for await (const value of values) {
		chunk += `${JSON.stringify(value)}\n`;
		if (chunk.length < 65_536) continue;
		yield chunk;
		chunk = '';
	}
	yield `${chunk}${JSON.stringify(endLine)}\n`;
}

/**
 * The values of such a file, one by one, up to the line that says that this is all.
 * @throws UserError request-damaged when it is no such file, was cut off or is larger than the limits.
 */
export async function* unpackLines(file: Readable, limits = requestLimits): AsyncGenerator<unknown> {
	const text = createGunzip();
	// What goes wrong with either ends the loop below.
	const ended = pipeline(file, text).catch(() => {});
	let unpacked = 0;
	let rest: Buffer[] = [];
	let restBytes = 0;
	let isEnded = false;
	try {
		for await (const part of text as AsyncIterable<Buffer>) {
			unpacked += part.length;
			if (unpacked > limits.unpacked) throw damaged('is larger than any that the panel writes');
			let from = 0;
			for (let at = part.indexOf(10); at >= 0; at = part.indexOf(10, from)) {
				const value = parse(Buffer.concat([...rest, part.subarray(from, at)]));
				if (isEnded) throw damaged('goes on after its end');
				from = at + 1;
				[rest, restBytes] = [[], 0];
				if (value === endLine) isEnded = true;
				else yield value;
			}
			rest.push(part.subarray(from));
			restBytes += part.length - from;
			if (restBytes > limits.line) throw damaged('has a line that is too long');
		}
	} catch (error) {
		throw error instanceof UserError ? error : damaged('cannot be unpacked');
	} finally {
		text.destroy();
		await ended;
	}
	if (!isEnded || restBytes > 0) throw damaged('was cut off');
}

function parse(line: Buffer): unknown {
	try {
		return JSON.parse(line.toString('utf8'));
	} catch {
		throw damaged('holds a line that is no JSON');
	}
}

export function damaged(what: string): UserError {
	return new UserError(
		'BAD_REQUEST',
		`The request to the applier ${what}. Nothing was changed. Start again; if that does not help, the panel’s log says more.`,
		{ reason: 'request-damaged' }
	);
}
