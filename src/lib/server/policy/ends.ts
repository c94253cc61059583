import { join } from 'node:path';
import { eq, max } from 'drizzle-orm';
import type { App } from '../app.ts';
import { UserError } from '../core/errors.ts';
import { revisionGone } from './apply.ts';
import { bytesOf, initLines, readLive, sha256 } from './live.ts';
import type { Live } from './live.ts';
import { liveDirectory } from './pending.ts';
import { reviewText, textForReview } from './preview.ts';
import { readManifest } from './revision.ts';
import { policyRoots } from './roots.ts';
import { directoryOf, waitForPending } from './service.ts';
import { findKept } from './swap.ts';
import { revisions } from './tables.ts';

/** A revision's number, 0 for the operator's own policy, or what an apply would make. */
export type EndName = number | 'pending';
export interface EndNames {
	from?: EndName | undefined;
	to?: EndName | undefined;
}

/** One side of a comparison. */
export interface End {
	/** Null: a policy that is not the panel's, or none. */
	directory: string | null;
	/** The bytes of an init.lua that the panel did not write. */
	foreign?: Buffer | undefined;
}

export interface Ends {
	was: End;
	now: End;
}

/** Both sides; their files stay until the work is done. Without names: from the live one to what an apply would make. */
export async function withEnds<T>(app: App, { from, to }: EndNames, work: (ends: Ends) => Promise<T>): Promise<T> {
	const needsPending = to === undefined || to === 'pending' || from === 'pending';
	const pending = needsPending ? await waitForPending(app) : undefined;
	const endOf = (name: EndName) =>
		name === 'pending' ? Promise.resolve({ directory: pending?.directory ?? null }) : revisionEnd(app, name);
	try {
		return await work({
			was: from === undefined ? await liveEnd(app) : await endOf(from),
			now: await endOf(to ?? 'pending')
		});
	} finally {
		pending?.release();
	}
}

async function liveEnd(app: App): Promise<End> {
	const roots = policyRoots(app.env.kumomtaRoot);
	const live: Live = await readLive(app.host, roots);
	const isForeign = live.kind === 'foreign' || live.kind === 'packaged';
	return { directory: liveDirectory(roots, live), ...(isForeign && { foreign: bytesOf(live.text) }) };
}

async function revisionEnd(app: App, number: number): Promise<End> {
	if (number > 0) return { directory: await directoryOf(app, number) };
	const [row] = await app.db.select().from(revisions).where(eq(revisions.number, 0)).limit(1);
	const text = row && (await findKept(app.host, policyRoots(app.env.kumomtaRoot), row.hash));
	return { directory: null, ...(text !== undefined && { foreign: bytesOf(text) }) };
}

/**
 * The directories of both sides, to be compared in words: beside a policy that is not the panel's everything is new.
 * @throws UserError files-only when such a policy is what it becomes: its words are not known.
 */
export function directoriesOf({ was, now }: Ends): [was: string | null, now: string] {
	if (now.directory !== null) return [was.directory, now.directory];
	throw new UserError(
		'BAD_REQUEST',
		'The policy from before this panel has no domains and senders that the panel could name. Nothing was compared. Compare its files.',
		{ reason: 'files-only', field: 'to' }
	);
}

/** @throws UserError no-such-revision when revision 0 is asked for and there is none. */
export function assertKnown({ from, to }: EndNames, { was, now }: Ends): void {
	if (from === 0 && was.foreign === undefined) throw revisionGone(0);
	if (to === 0 && now.foreign === undefined) throw revisionGone(0);
}

export type FileState = { bytes: number; sha256: string } | null;

export async function fileState(app: App, { directory, foreign }: End, path: string): Promise<FileState> {
	if (directory === null)
		return foreign !== undefined && path === 'init.lua' ? { bytes: foreign.length, sha256: sha256(foreign) } : null;
	if (path === 'init.lua') {
		const text = await linesOf(app, directory);
		return { bytes: Buffer.byteLength(text), sha256: sha256(text) };
	}
	const file = readManifest(directory).files.find((each) => each.path === path);
	return file === undefined ? null : { bytes: file.bytes, sha256: file.sha256 };
}

/** Null: no such file on this side. Undefined: it cannot be shown. */
export async function fileText(app: App, end: End, path: string): Promise<string | null | undefined> {
	if ((await fileState(app, end, path)) === null) return null;
	if (end.directory === null) return end.foreign && reviewText(end.foreign, path);
	return path === 'init.lua' ? linesOf(app, end.directory) : textForReview(join(end.directory, path));
}

/** Whether somebody else wrote the file, so that what may be a secret in it is masked. */
export const isForeign = ({ directory }: End, path: string) =>
	path === 'custom.lua' || (path === 'init.lua' && directory === null);

/** The pending revision has no number yet: it is shown under the next one. */
async function linesOf(app: App, directory: string): Promise<string> {
	const { revision, hash } = readManifest(directory);
	const isPending = revision.startsWith('0-');
	const [row] = isPending ? await app.db.select({ last: max(revisions.number) }).from(revisions) : [];
	const name = isPending ? `${(row?.last ?? 0) + 1}-${hash.slice(0, 12)}` : revision;
	return initLines(policyRoots(app.env.systemRoot), name);
}
