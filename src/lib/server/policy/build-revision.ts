import { createHash } from 'node:crypto';
import { chmodSync, closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { countChanges, newKeys } from './changes.ts';
import type { ChangeCounts } from './changes.ts';
import { checkPolicy } from './check.ts';
import type { Facts } from './check-node.ts';
import { createDirectory, liveLookup } from './directory.ts';
import type { PolicyHead, PolicySender } from './input.ts';
import type { Judgement } from './judge.ts';
import { nodeToml } from './node.ts';
import type { Roots } from './node.ts';
import { inOrder } from './order.ts';
import { countProblems, urgentFirst } from './problem.ts';
import type { Problem, ProblemCounts } from './problem.ts';
import { policyHashes, renderDirectory, sha256, shapingToml } from './render.ts';
import { readManifest } from './revision.ts';
import type { Manifest, RevisionFile } from './revision.ts';

export interface BuildRequest {
	program: Uint8Array;
	customLua: Uint8Array | null;
	roots: Roots;
	facts: Facts;
	/** Milliseconds UTC. */
	now: number;
	/** Absolute directory of the live revision; null before the first. */
	live: string | null;
	/** Ids of live objects that may drop out. */
	dropping: string[];
}

export interface BuiltRevision {
	hash: string;
	manifest: Manifest;
	/** The most urgent ones first; the counts are of all. */
	problems: Problem[];
	problemCounts: ProblemCounts;
	/** Against the live revision. */
	changes: ChangeCounts;
	/** What KumoMTA reads at start only differs from the live revision. */
	needsRestart: boolean;
	sourcesChanged: boolean;
	/** DKIM keys that the live revision does not have, at most 500: `--validate` signs a probe with each. */
	newKeys: { domain: string; selector: string }[];
}

const shownProblems = 500;
/** node.toml is parsed in every Lua context, so the list of keys to try stays short. */
const probedKeys = 500;

/** The revision's name until it has a number; the same length does not matter, the alphabet does. */
export const placeholder = (hash: string) => `0-${hash.slice(0, 12)}`;

/** A revision in the making: its senders pass, ordered by address, and then it is finished or given up. */
export interface RevisionBuild {
	sender: (sender: PolicySender) => void;
	/** @param unreadable problems of rows that could not be parsed. */
	finish: (unreadable: Problem[]) => BuiltRevision;
	/** Closes what is open; after `finish` it does nothing. */
	close: () => void;
}

/**
 * Makes a whole revision in an empty directory of our own, under the name `0-<hash12>`, and says what is wrong with it
 * and how it differs from the live one. Blocks its thread: it runs in the policy worker.
 */
export function openBuild(directory: string, given: PolicyHead, request: BuildRequest): RevisionBuild {
	const head = inOrder(given);
	const path = join(directory, 'directory.sqlite');
	const writer = createDirectory(path);
	const renderer = renderDirectory(head, writer.put);
	return {
		sender: renderer.sender,
		close: writer.close,
		finish(unreadable) {
			const { judgement, directoryHash } = renderer.finish();
			writer.commit();
			chmodSync(path, 0o600);
			const live = request.live !== null && isReadable(request.live) ? request.live : null;
			const problems = check(head, judgement, { ...request, live }, unreadable);
			const keys = newKeys(live, directory, probedKeys);
			const manifest = writeFiles(directory, head, { request, judgement, directoryHash, probeKeys: keys });
			const before = live === null ? null : readManifest(live);
			return {
				hash: manifest.hash,
				manifest,
				problems: urgentFirst(problems, shownProblems),
				problemCounts: countProblems(problems),
				changes: countChanges(live, directory),
				needsRestart: before?.initHash !== manifest.initHash,
				sourcesChanged: before?.sourcesHash !== manifest.sourcesHash,
				newKeys: keys
			};
		}
	};
}

function writeFiles(
	directory: string,
	head: PolicyHead,
	made: { request: BuildRequest; judgement: Judgement; directoryHash: string; probeKeys: BuiltRevision['newKeys'] }
): Manifest {
	const { request, judgement, probeKeys } = made;
	const hashes = policyHashes(head, { ...request, directoryHash: made.directoryHash });
	const revision = placeholder(hashes.hash);
	const manifest: Manifest = {
		format: 1,
		revision,
		...hashes,
		files: writeSmallFiles(directory, nodeToml(head, { revision, roots: request.roots, probeKeys }), request),
		counts: { domains: head.domains.length, senders: judgement.senderCount, keys: head.dkimKeys.length },
		settings: withoutVerifier(head.settings),
		sources: head.sources,
		pools: head.pools,
		removedPools: head.tombstones.pools
	};
	writeFileSync(join(directory, 'manifest.json'), manifestText(manifest), { flag: 'wx', mode: 0o600 });
	return manifest;
}

export const manifestText = (manifest: Manifest) => `${JSON.stringify(manifest, null, '\t')}\n`;

function check(
	head: PolicyHead,
	judgement: Judgement,
	{ live, facts, now, dropping }: BuildRequest,
	unreadable: Problem[]
): Problem[] {
	const lookup = live === null ? null : liveLookup(join(live, 'directory.sqlite'));
	try {
		const isLive = (scope: Problem['scope'], subject: string) => lookup?.has(scope, subject) ?? false;
		return checkPolicy(head, judgement, { facts, now, dropping, isLive, unreadable });
	} finally {
		lookup?.close();
	}
}

/** A live revision that somebody damaged must not stop the one that replaces it: then everything counts as new. */
function isReadable(directory: string): boolean {
	try {
		readManifest(directory);
		liveLookup(join(directory, 'directory.sqlite')).close();
		return true;
	} catch {
		return false;
	}
}

function withoutVerifier({ httpApiVerifier: _, ...settings }: PolicyHead['settings']): Manifest['settings'] {
	return settings;
}

function writeSmallFiles(directory: string, node: string, { program, customLua }: BuildRequest): RevisionFile[] {
	const texts: [path: string, content: string | Uint8Array][] = [
		['program.lua', program],
		...(customLua === null ? [] : [['custom.lua', customLua] as [string, Uint8Array]]),
		['node.toml', node],
		['shaping.toml', shapingToml]
	];
	const files = texts.map(([path, content]) => {
		writeFileSync(join(directory, path), content, { flag: 'wx', mode: 0o600 });
		return { path, bytes: Buffer.byteLength(content), sha256: sha256(content) };
	});
	return [...files, hashOfFile(directory, 'directory.sqlite')];
}

/** In pieces: the directory of a large estate is 40 MB. */
function hashOfFile(directory: string, path: string): RevisionFile {
	const hash = createHash('sha256');
	const piece = Buffer.alloc(262_144);
	const file = openSync(join(directory, path), 'r');
	let bytes = 0;
	try {
		for (let read = readSync(file, piece); read > 0; read = readSync(file, piece)) {
			hash.update(piece.subarray(0, read));
			bytes += read;
		}
	} finally {
		closeSync(file);
	}
	return { path, bytes, sha256: hash.digest('hex') };
}
