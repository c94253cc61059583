import type { App } from '../app.ts';
import { listDirectory, lookAt } from './directory.ts';
import type { Listing } from './directory.ts';
import type { SegmentReader } from './segment-reader.ts';
import { forgetGone, readFinished, readFinishedNames } from './segments.ts';

const maxWaiting = 20_000;
const recentNames = 32;
const forgetEveryMs = 10 * 60_000;

/** What is known of the log's directory between two turns. */
export interface Directory {
	path: string;
	/** Names that need no more reading. */
	finished: Set<string>;
	/** Segments to read, oldest first. */
	waiting: string[];
	hasMore: boolean;
	/** The newest finished names in order: these are looked at again, lest another file took the name. */
	recent: string[];
	/** Of segments that still grow, or were too much for one turn. */
	readers: Map<string, SegmentReader>;
	/** Segments that are read from the start because what followed did not fit what was read before. */
	restarted: Set<string>;
	/** Files that are no segments, by name: inode and size. */
	foreign: Map<string, string>;
	modified: bigint | undefined;
	isConfirmed: boolean;
	forgottenAt: number;
}

export async function openDirectory(app: App, path: string): Promise<Directory> {
	return {
		path,
		finished: await readFinishedNames(app, path),
		waiting: [],
		hasMore: false,
		recent: [],
		readers: new Map(),
		restarted: new Set(),
		foreign: new Map(),
		modified: undefined,
		isConfirmed: false,
		forgottenAt: 0
	};
}

export function closeReaders(directory: Directory): void {
	for (const name of [...directory.readers.keys()]) dropReader(directory, name);
}

export function dropReader(directory: Directory, name: string): void {
	directory.readers.get(name)?.close();
	directory.readers.delete(name);
}

export function setFinished(directory: Directory, name: string): void {
	directory.finished.add(name);
	directory.restarted.delete(name);
	keepRecent(directory, name);
}

/** Brings `waiting` up to what is in the directory now. */
export async function listSegments(app: App, directory: Directory): Promise<Listing> {
	const isForgetting = app.clock() - directory.forgottenAt >= forgetEveryMs;
	const there = new Set<string>();
	const found: string[] = [];
	let isListed = false;
	const listing = await listDirectory(directory.path, {
		isUnchanged(modified) {
			// A file that came in the same instant as the last look is seen at the second one.
			const isSame = directory.modified === modified;
			isListed = !isSame || !directory.isConfirmed || directory.hasMore || isForgetting;
			directory.isConfirmed = isSame;
			directory.modified = modified;
			return !isListed;
		},
		take(name) {
			if (isForgetting) there.add(name);
			if (directory.finished.has(name)) keepRecent(directory, name);
			else if (!directory.foreign.has(name)) found.push(name);
		}
	});
	if (listing.state !== 'listed') {
		directory.modified = undefined;
		return listing;
	}
	if (isListed) {
		directory.hasMore = found.length > maxWaiting;
		directory.waiting = found.slice(0, maxWaiting).sort();
	}
	await lookAgain(app, directory);
	if (isForgetting) await forget(app, directory, there);
	return listing;
}

function keepRecent({ recent }: Directory, name: string): void {
	if (recent.includes(name) || (recent.length >= recentNames && name < (recent[0] ?? ''))) return;
	recent.push(name);
	recent.sort();
	if (recent.length > recentNames) recent.shift();
}

/** A name with another inode or size than before is another file, or one that was cut or grew. */
async function lookAgain(app: App, directory: Directory): Promise<void> {
	const { recent, foreign, finished, waiting } = directory;
	const names = [...recent, ...[...foreign.keys()].slice(-recentNames)];
	if (names.length === 0) return;
	const rows = await readFinished(app, directory.path, recent);
	const known = new Map([...foreign, ...rows.map(({ name, inode, bytes }) => [name, `${inode} ${bytes}`] as const)]);
	for (const [name, seen] of await lookAt(directory.path, names)) {
		// A copy is finished too, but its row has the other name.
		if ((known.get(name) ?? seen) === seen) continue;
		finished.delete(name);
		foreign.delete(name);
		if (!waiting.includes(name)) waiting.push(name);
	}
	directory.recent = recent.filter((name) => finished.has(name));
}

async function forget(app: App, directory: Directory, there: Set<string>): Promise<void> {
	await forgetGone(app, directory.path, (name) => there.has(name));
	for (const names of [directory.finished, directory.foreign, directory.restarted])
		for (const name of names.keys()) if (!there.has(name)) names.delete(name);
	for (const name of [...directory.readers.keys()]) if (!there.has(name)) dropReader(directory, name);
	directory.recent = directory.recent.filter((name) => there.has(name));
	directory.forgottenAt = app.clock();
}
