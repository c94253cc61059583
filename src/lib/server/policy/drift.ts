import { basename, join } from 'node:path';
import type { Host } from '../host/host.ts';
import type { Live } from './live.ts';
import { readManifest } from './revision.ts';
import type { Manifest } from './revision.ts';
import { policyAccess } from './roots.ts';
import type { PolicyRoots } from './roots.ts';
import { differingFiles } from './stage.ts';

/** Something on disk that is not what the live revision says. */
export interface Drift {
	/** Relative to the policy directory; `dkim/…` for a key file. */
	path: string;
	/** `access`: its bytes are right, its mode or owner is not. */
	what: 'changed' | 'missing' | 'access';
	/** An apply refuses until it is told to overwrite. The others it mends, or refuses for a reason of their own. */
	needsOverwrite: boolean;
}

/** Files of the live revision that somebody changed by hand; unchanged ones cost two stats each. */
export async function findDrift(host: Host, roots: PolicyRoots, live: Live): Promise<Drift[]> {
	if (live.kind !== 'ours' && live.kind !== 'edited') return [];
	const drift = live.kind === 'edited' ? [edited(basename(roots.init), 'changed')] : [];
	const directory = join(roots.revisions, live.revision);
	const manifest = findManifest(directory);
	const name = (path: string) => join('revisions', live.revision, path);
	if (manifest === undefined) {
		const isThere = (await host.files.stat(join(directory, 'manifest.json'))) !== undefined;
		return [...drift, edited(name('manifest.json'), isThere ? 'changed' : 'missing')];
	}
	const differing = new Set(await differingFiles(host, directory, manifest));
	for (const path of ['manifest.json', ...manifest.files.map((file) => file.path)]) {
		const state = await host.files.stat(join(directory, path));
		if (differing.has(path)) drift.push(edited(name(path), state === undefined ? 'missing' : 'changed'));
		else if (state !== undefined && !hasAccess(host, state))
			drift.push({ path: name(path), what: 'access', needsOverwrite: false });
	}
	return drift;
}

const edited = (path: string, what: 'changed' | 'missing'): Drift => ({ path, what, needsOverwrite: true });

function hasAccess(host: Host, { mode, uid, gid }: { mode: number; uid: number; gid: number }): boolean {
	const { mode: wanted, owner } = policyAccess(host).file;
	return mode === wanted && (owner === undefined || (uid === owner.uid && gid === owner.gid));
}

/** The manifest of a revision directory, or undefined when there is none that can be read. */
export function findManifest(directory: string): Manifest | undefined {
	try {
		return readManifest(directory);
	} catch {
		return undefined;
	}
}
