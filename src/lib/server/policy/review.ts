import type { z } from 'zod';
import type { App } from '../app.ts';
import type { ChangePage, GroupPage } from './changes.ts';
import { comparePolicies, diffTexts, groupPolicies, readObject } from './compile.ts';
import { effectsOf } from './effects.ts';
import type { Effects } from './effects.ts';
import { assertKnown, directoriesOf, fileState, fileText, isForeign, withEnds } from './ends.ts';
import type { EndNames, Ends } from './ends.ts';
import { cutLines } from './file-lines.ts';
import { reviewPaths } from './review-inputs.ts';
import type * as inputs from './review-inputs.ts';
import { readManifest } from './revision.ts';

type FileChanges = z.infer<typeof inputs.fileChangesAnswer>;
type FileSummary = z.infer<typeof inputs.fileSummaryAnswer>;

/** Differences in words, paged. Without names: from the live revision to what an apply would make. */
export function listChanges(app: App, { from, to, ...page }: z.infer<typeof inputs.listChanges>): Promise<ChangePage> {
	return withEnds(app, { from, to }, (ends) => comparePolicies(app, ...directoriesOf(ends), page));
}

/** The same differences, counted by domain. */
export function groupChanges(app: App, { from, to, ...page }: z.infer<typeof inputs.changeGroups>): Promise<GroupPage> {
	return withEnds(app, { from, to }, (ends) => groupPolicies(app, ...directoriesOf(ends), page));
}

/** What going from one to the other means for the running server. */
export function getEffects(app: App, names: EndNames): Promise<Effects> {
	return withEnds(app, names, (ends) => {
		const [was, now] = directoriesOf(ends);
		return Promise.resolve(effectsOf(was === null ? null : readManifest(was), readManifest(now)));
	});
}

/** The exact difference of one file, or of one object of directory.sqlite. */
export function fileChanges(
	app: App,
	{ from, to, path, object, cursor }: z.infer<typeof inputs.fileChanges>
): Promise<FileChanges> {
	return withEnds(app, { from, to }, async (ends) => {
		assertKnown({ from, to }, ends);
		const states = { was: await fileState(app, ends.was, path), now: await fileState(app, ends.now, path) };
		const isSame = states.was?.sha256 === states.now?.sha256;
		const base = { path, ...states, isSame, added: 0, removed: 0, lines: null, nextCursor: null };
		if (path === 'directory.sqlite' && object === undefined)
			return { ...base, note: 'Its contents are the changes in words; name an object to see its JSON.' };
		const texts =
			object !== undefined && path === 'directory.sqlite'
				? await readObject(app, ...directoriesOf(ends), object)
				: { was: await fileText(app, ends.was, path), now: await fileText(app, ends.now, path) };
		if (texts.was === undefined || texts.now === undefined)
			return { ...base, note: 'Not shown: it is larger than 1 MB, or no text. Compare its size and SHA-256.' };
		const [was, now] = [texts.was ?? '', texts.now ?? ''];
		const foreign = {
			...(isForeign(ends.was, path) && { was }),
			...(isForeign(ends.now, path) && { now })
		};
		return { ...base, ...cutLines(await diffTexts(app, was, now), { cursor, foreign }) };
	});
}

/** Which files differ and by how much, before one of them is opened. */
export function summarizeFiles(app: App, names: EndNames): Promise<FileSummary> {
	return withEnds(app, names, async (ends) => {
		assertKnown(names, ends);
		const files: FileSummary['files'] = [];
		for (const path of reviewPaths) {
			const [was, now] = [await fileState(app, ends.was, path), await fileState(app, ends.now, path)];
			if (was === null && now === null) continue;
			const file = { path, added: null, removed: null, changed: null };
			if (was?.sha256 === now?.sha256) files.push({ ...file, state: 'same' });
			else {
				const state = was === null ? 'added' : now === null ? 'removed' : 'changed';
				files.push({ ...file, state, ...(await countsOf(app, ends, path)) });
			}
		}
		return { files };
	});
}

/** The lines of a text that differ, or the objects of the directory. */
async function countsOf(app: App, ends: Ends, path: string): Promise<Partial<FileSummary['files'][number]>> {
	if (path === 'directory.sqlite') {
		if (ends.now.directory === null) return {};
		const { counts } = await comparePolicies(app, ends.was.directory, ends.now.directory, { limit: 1 });
		const sum = (kind: 'added' | 'removed' | 'changed') =>
			counts.scopes.filter(({ scope }) => inDirectory.has(scope)).reduce((total, each) => total + each[kind], 0);
		const [added, removed, changed] = [sum('added'), sum('removed'), sum('changed')];
		return { added, removed, changed, ...(added + removed + changed === 0 && { state: 'same-data' as const }) };
	}
	const [was, now] = [await fileText(app, ends.was, path), await fileText(app, ends.now, path)];
	if (was === undefined || now === undefined) return {};
	const { lines, added, removed } = await diffTexts(app, was ?? '', now ?? '');
	const isOurs = ends.was.directory !== null && ends.now.directory !== null;
	const changed = lines.filter(({ kind }) => kind === 'added' || kind === 'removed');
	const isName = isOurs && (path === 'init.lua' || (path === 'node.toml' && changed.every(isRevisionLine)));
	return { added, removed, ...(isName && { state: 'name-only' as const }) };
}

const inDirectory = new Set<string>(['domain', 'sender', 'bounce-account', 'queue']);
const isRevisionLine = ({ text }: { text: string }) => text.startsWith('revision = ');
