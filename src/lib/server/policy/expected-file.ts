import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { App } from '../app.ts';
import { assetPath } from '../core/assets.ts';
import { newKeys } from './changes.ts';
import { findManifest } from './drift.ts';
import type { PolicyHead } from './input.ts';
import { sha256 } from './live.ts';
import { nodeToml } from './node.ts';
import { rootsInPolicy } from './pending.ts';
import { shapingToml } from './render.ts';
import { revisionCredential } from './revision.ts';
import type { Manifest } from './revision.ts';
import { policyRoots } from './roots.ts';
import type { PolicyRoots } from './roots.ts';

/** Beside the live revision: other revisions, and what an apply would make; each may hold the same file undamaged. */
export interface Siblings {
	directories: string[];
}

export async function findSiblings(app: App, roots: PolicyRoots, live: string, pending: string): Promise<Siblings> {
	const names = (await app.host.files.list(roots.revisions)).filter((name) => /^\d+-/.test(name) && name !== live);
	const newestFirst = names.toSorted((a, b) => parseInt(b) - parseInt(a)).slice(0, 50);
	return { directories: [pending, ...newestFirst.map((name) => join(roots.revisions, name))] };
}

/**
 * The bytes that a file of the live revision should have. The manifest keeps their hash only, so they are made or found
 * elsewhere and taken when they have that hash. Undefined: nowhere.
 */
export async function expectedFile(
	app: App,
	roots: PolicyRoots,
	{ manifest, path, siblings }: { manifest: Manifest; path: string; siblings: Siblings }
): Promise<Buffer | undefined> {
	const wanted = manifest.files.find((file) => file.path === path)?.sha256;
	if (wanted === undefined) return undefined;
	for await (const candidate of candidates(app, roots, { manifest, path, siblings }))
		if (candidate !== undefined && sha256(candidate) === wanted) return candidate;
	return undefined;
}

async function* candidates(
	app: App,
	roots: PolicyRoots,
	{ manifest, path, siblings }: { manifest: Manifest; path: string; siblings: Siblings }
): AsyncGenerator<Buffer | undefined> {
	const read = (file: string) => app.host.files.readBytes(file).catch(() => undefined);
	if (path === 'program.lua') yield await readFile(assetPath('program.lua'));
	if (path === 'shaping.toml') yield Buffer.from(shapingToml);
	if (path === 'custom.lua') yield await read(roots.custom);
	if (path === 'node.toml')
		yield* renderedNodes(manifest, siblings, {
			roots,
			named: rootsInPolicy(policyRoots(app.env.systemRoot), app.env.mailRoot)
		});
	else for (const directory of siblings.directories) yield await read(join(directory, path));
}

/**
 * node.toml made anew: all but two things stand in the manifest. The verifier of the API credential is in the node.toml
 * of any revision of the same credential; which keys were new depends on what was live before.
 */
function* renderedNodes(
	manifest: Manifest,
	{ directories }: Siblings,
	{ roots, named }: { roots: PolicyRoots; named: ReturnType<typeof rootsInPolicy> }
): Generator<Buffer> {
	const own = join(roots.revisions, manifest.revision);
	const { settings, sources, pools, removedPools, counts, revision } = manifest;
	const verifiers = verifiersIn([own, ...directories]);
	for (const before of [own, null, ...directories]) {
		const probeKeys = before === own ? [] : keysSince(before, own);
		for (const httpApiVerifier of probeKeys === undefined ? [] : verifiers) {
			const head: PolicyHead = {
				settings: { ...settings, httpApiVerifier },
				sources,
				pools,
				domains: [],
				// Only how many there are reaches node.toml.
				dkimKeys: Array.from({ length: counts.keys }, () => placeholderKey),
				mailboxes: [],
				tombstones: { senders: [], pools: removedPools }
			};
			yield Buffer.from(nodeToml(head, { revision, roots: named, probeKeys: probeKeys ?? [] }));
		}
	}
}

const placeholderKey: PolicyHead['dkimKeys'][number] = {
	id: '',
	domainId: '',
	selector: '',
	algorithm: 'ed25519',
	state: 'active',
	privateKeyHash: ''
};

function verifiersIn(directories: string[]): PolicyHead['settings']['httpApiVerifier'][] {
	const found = new Map<string, PolicyHead['settings']['httpApiVerifier']>([['null', null]]);
	for (const directory of directories) {
		const verifier = revisionCredential(directory);
		found.set(JSON.stringify(verifier), verifier);
	}
	return [...found.values()];
}

function keysSince(before: string | null, own: string): { domain: string; selector: string }[] | undefined {
	try {
		if (before !== null && findManifest(before) === undefined) return undefined;
		return newKeys(before, own, 500);
	} catch {
		return undefined;
	}
}

/** A directory whose directory.sqlite has the data that the live revision's should have. */
export async function findSameData(
	app: App,
	{ directoryHash }: Manifest,
	{ directories }: Siblings
): Promise<string | undefined> {
	for (const directory of directories) {
		const manifest = findManifest(directory);
		if (manifest?.directoryHash !== directoryHash) continue;
		const expected = manifest.files.find((file) => file.path === 'directory.sqlite')?.sha256;
		// Revisions of the same data share one file: who changed it there changed it in all of them.
		const found = await app.host.files.hashOf(join(directory, 'directory.sqlite')).catch(() => undefined);
		if (found !== undefined && found === expected) return directory;
	}
	return undefined;
}
