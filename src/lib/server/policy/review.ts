import { max } from 'drizzle-orm';
import { join } from 'node:path';
import type { z } from 'zod';
import type { App } from '../app.ts';
import type { ChangePage, GroupPage } from './changes.ts';
import { comparePolicies, diffTexts, groupPolicies, readObject } from './compile.ts';
import { effectsOf } from './effects.ts';
import type { Effects } from './effects.ts';
import { cutLines } from './file-lines.ts';
import { initLines, readLive } from './live.ts';
import { liveDirectory } from './pending.ts';
import { textForReview } from './preview.ts';
import type * as inputs from './review-inputs.ts';
import { readManifest } from './revision.ts';
import type { Manifest } from './revision.ts';
import { policyRoots } from './roots.ts';
import { directoryOf, waitForPending } from './service.ts';
import { sha256 } from './render.ts';
import { revisions } from './tables.ts';

type Ends = z.infer<typeof inputs.effects>;
type FileChanges = z.infer<typeof inputs.fileChangesAnswer>;

/** The two directories of a comparison; they stay until the work is done. Revision 0 is no directory: everything is new. */
async function between<T>(
	app: App,
	{ from, to }: Ends,
	work: (was: string | null, now: string) => Promise<T>
): Promise<T> {
	const pending = to === undefined ? await waitForPending(app) : undefined;
	try {
		const was = from === undefined ? await liveEnd(app) : from === 0 ? null : await directoryOf(app, from);
		return await work(was, pending === undefined ? await directoryOf(app, to ?? 0) : pending.directory);
	} finally {
		pending?.release();
	}
}

async function liveEnd(app: App): Promise<string | null> {
	const roots = policyRoots(app.env.kumomtaRoot);
	return liveDirectory(roots, await readLive(app.host, roots));
}

/** Differences in words, paged. Without numbers: from the live revision to what an apply would make. */
export function listChanges(app: App, { from, to, ...page }: z.infer<typeof inputs.listChanges>): Promise<ChangePage> {
	return between(app, { from, to }, (was, now) => comparePolicies(app, was, now, page));
}

/** The same differences, counted by domain. */
export function groupChanges(app: App, { from, to, ...page }: z.infer<typeof inputs.changeGroups>): Promise<GroupPage> {
	return between(app, { from, to }, (was, now) => groupPolicies(app, was, now, page));
}

/** What going from one to the other means for the running server. */
export function getEffects(app: App, ends: Ends): Promise<Effects> {
	return between(app, ends, (was, now) =>
		Promise.resolve(effectsOf(was === null ? null : readManifest(was), readManifest(now)))
	);
}

/** The exact difference of one file, or of one object of directory.sqlite. */
export function fileChanges(
	app: App,
	{ from, to, path, object, cursor }: z.infer<typeof inputs.fileChanges>
): Promise<FileChanges> {
	return between(app, { from, to }, async (was, now) => {
		const states = { was: await stateOf(app, was, path), now: await stateOf(app, now, path) };
		const isSame = states.was?.sha256 === states.now?.sha256;
		const base = { path, ...states, isSame, added: 0, removed: 0, lines: null, nextCursor: null };
		if (path === 'directory.sqlite' && object === undefined)
			return { ...base, note: 'Its contents are the changes in words; name an object to see its JSON.' };
		const texts =
			object !== undefined && path === 'directory.sqlite'
				? await readObject(app, was, now, object)
				: { was: await textOf(app, was, path), now: await textOf(app, now, path) };
		if (texts.was === undefined || texts.now === undefined)
			return { ...base, note: 'Not shown: it is larger than 1 MB, or no text. Compare its size and SHA-256.' };
		const diff = await diffTexts(app, texts.was ?? '', texts.now ?? '');
		const foreign = path === 'custom.lua' ? { was: texts.was ?? '', now: texts.now ?? '' } : {};
		return { ...base, ...cutLines(diff, { cursor, foreign }) };
	});
}

async function stateOf(app: App, directory: string | null, path: string): Promise<FileChanges['was']> {
	if (directory === null) return null;
	if (path === 'init.lua') {
		const text = await linesOf(app, readManifest(directory));
		return { bytes: Buffer.byteLength(text), sha256: sha256(text) };
	}
	const file = readManifest(directory).files.find((each) => each.path === path);
	return file === undefined ? null : { bytes: file.bytes, sha256: file.sha256 };
}

/** Null: no such file on this side. Undefined: it cannot be shown. */
async function textOf(app: App, directory: string | null, path: string): Promise<string | null | undefined> {
	if (directory === null || (await stateOf(app, directory, path)) === null) return null;
	if (path === 'init.lua') return linesOf(app, readManifest(directory));
	return textForReview(join(directory, path));
}

/** The pending revision has no number yet: it is shown under the next one. */
async function linesOf(app: App, { revision, hash }: Manifest): Promise<string> {
	const isPending = revision.startsWith('0-');
	const [row] = isPending ? await app.db.select({ last: max(revisions.number) }).from(revisions) : [];
	const name = isPending ? `${(row?.last ?? 0) + 1}-${hash.slice(0, 12)}` : revision;
	return initLines(policyRoots(app.env.kumomtaRoot), name);
}
