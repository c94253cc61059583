import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { countChanges, newKeys } from './changes.ts';
import type { ChangeCounts } from './changes.ts';
import { checkPolicy } from './check.ts';
import type { Facts } from './check-node.ts';
import { liveLookup, writeDirectory } from './directory.ts';
import type { PolicyInput } from './input.ts';
import { judge } from './judge.ts';
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

/**
 * Makes a whole revision in an empty directory of our own, under the name `0-<hash12>`, and says what is wrong with it
 * and how it differs from the live one. Blocks its thread: it runs in the policy worker.
 */
export function buildRevision(
	directory: string,
	given: { input: PolicyInput; unreadable: Problem[] },
	request: BuildRequest
): BuiltRevision {
	const input = inOrder(given.input);
	const judgement = judge(input);
	const live = request.live !== null && isReadable(request.live) ? request.live : null;
	const problems = check(input, judgement, { ...request, live }, given.unreadable);

	const rendered = renderDirectory(input, judgement);
	const path = join(directory, 'directory.sqlite');
	writeDirectory(path, rendered.rows);
	chmodSync(path, 0o600);
	const hashes = policyHashes(input, { ...request, directoryHash: rendered.digest() });
	const probeKeys = newKeys(live, directory, probedKeys);
	const revision = placeholder(hashes.hash);
	const manifest: Manifest = {
		format: 1,
		revision,
		...hashes,
		files: writeSmallFiles(directory, nodeToml(input, { revision, roots: request.roots, probeKeys }), request),
		counts: { domains: input.domains.length, senders: input.senders.length, keys: input.dkimKeys.length },
		settings: withoutVerifier(input.settings),
		sources: input.sources,
		pools: input.pools,
		removedPools: input.tombstones.pools
	};
	writeFileSync(join(directory, 'manifest.json'), manifestText(manifest), { flag: 'wx', mode: 0o600 });
	const before = live === null ? null : readManifest(live);
	return {
		hash: hashes.hash,
		manifest,
		problems: urgentFirst(problems, shownProblems),
		problemCounts: countProblems(problems),
		changes: countChanges(live, directory),
		needsRestart: before?.initHash !== hashes.initHash,
		sourcesChanged: before?.sourcesHash !== hashes.sourcesHash,
		newKeys: probeKeys
	};
}

export const manifestText = (manifest: Manifest) => `${JSON.stringify(manifest, null, '\t')}\n`;

function check(
	input: PolicyInput,
	judgement: ReturnType<typeof judge>,
	{ live, facts, now, dropping }: BuildRequest,
	unreadable: Problem[]
): Problem[] {
	const lookup = live === null ? null : liveLookup(join(live, 'directory.sqlite'));
	try {
		const isLive = (scope: Problem['scope'], subject: string) => lookup?.has(scope, subject) ?? false;
		return checkPolicy(input, judgement, { facts, now, dropping, isLive, unreadable });
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

function withoutVerifier({ httpApiVerifier: _, ...settings }: PolicyInput['settings']): Manifest['settings'] {
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
	const path = join(directory, 'directory.sqlite');
	files.push({ path: 'directory.sqlite', bytes: statSync(path).size, sha256: sha256(readFileSync(path)) });
	return files;
}
