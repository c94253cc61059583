import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { assetPath } from '../core/assets.ts';
import { suppressionFormat } from '../core/suppression-format.ts';
import type { Host } from '../host/host.ts';
import { policyAccess, policyDirectory } from '../host/policy-access.ts';
import type { FileAnswer, FileCall } from './worker.ts';

/** Where the suppression files lie. */
export interface SuppressionRoots {
	/** The policy's directory, made by the first apply. */
	policy: string;
	directory: string;
	base: string;
	delta: string;
}

export function suppressionRoots(kumomtaRoot: string): SuppressionRoots {
	const policy = policyDirectory(kumomtaRoot);
	const directory = join(policy, suppressionFormat.directory);
	const { base, delta } = suppressionFormat;
	return { policy, directory, base: join(directory, base), delta: join(directory, delta) };
}

/** A file that is complete, on disk and beside its place. */
interface StagedFile {
	rows: number;
	bytes: number;
	/** Renames it into its place, for readers in one step. */
	place: () => Promise<void>;
}

/**
 * Writes one of the two files beside its place, in a worker thread and in memory that does not grow with the rows. Needs
 * no database: rows come in pages, JSON arrays of `[address, scope, reason]`; the next page is asked for when the last
 * one is written.
 * @param about kept in the file's table `about`, with the number of its rows.
 */
export async function stageSuppressionFile(
	host: Host,
	roots: SuppressionRoots,
	{
		name,
		about,
		pages
	}: { name: 'base' | 'delta'; about: Record<string, string | number>; pages: AsyncIterable<string> }
): Promise<StagedFile> {
	const { directory: directoryAccess, file: access } = policyAccess(host);
	await host.files.makeDirectory(roots.directory, directoryAccess);
	const prefix = `.${name}.`;
	for (const left of await host.files.list(roots.directory))
		if (left.startsWith(prefix)) await host.files.remove(join(roots.directory, left));
	const path = join(roots.directory, `${prefix}${randomBytes(6).toString('hex')}.tmp`);
	try {
		const rows = await fill(path, about, pages);
		await host.files.settle(path, access);
		const bytes = (await host.files.stat(path))?.bytes ?? 0;
		return { rows, bytes, place: () => host.files.rename(path, roots[name]) };
	} catch (error) {
		await host.files.remove(path).catch(() => {});
		await host.files.remove(`${path}-journal`).catch(() => {});
		throw error;
	}
}

async function fill(
	path: string,
	about: Record<string, string | number>,
	pages: AsyncIterable<string>
): Promise<number> {
	const worker = startWorker();
	try {
		await worker.ask({ kind: 'begin', path });
		for await (const json of pages) await worker.ask({ kind: 'page', json });
		return await worker.ask({ kind: 'end', about });
	} finally {
		await worker.end();
	}
}

function startWorker() {
	const worker = new Worker(assetPath('suppression-worker'), {
		resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 }
	});
	let waiting: { resolve: (rows: number) => void; reject: (error: Error) => void } | undefined;
	const fail = (error: Error) => {
		waiting?.reject(error);
		waiting = undefined;
	};
	worker.on('message', (answer: FileAnswer) => {
		const { resolve, reject } = waiting ?? {};
		waiting = undefined;
		if (answer.kind === 'failed') reject?.(new Error(`A suppression file was not written: ${answer.message}`));
		else resolve?.(answer.rows);
	});
	worker.on('error', fail);
	worker.on('exit', () => fail(new Error('The writer of suppression files ended before it was done.')));
	return {
		ask: (call: FileCall) =>
			new Promise<number>((resolve, reject) => {
				waiting = { resolve, reject };
				worker.postMessage(call);
			}),
		end: () => worker.terminate()
	};
}
