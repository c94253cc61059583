import { basename, join } from 'node:path';
import type { Host } from '../host/host.ts';
import type { Live } from './live.ts';
import { readManifest } from './revision.ts';
import type { Manifest } from './revision.ts';
import type { PolicyRoots } from './roots.ts';
import { differingFiles } from './stage.ts';

/** A managed file that is not what the live revision says. */
export interface Drift {
	/** Relative to the policy directory. */
	path: string;
	what: 'changed' | 'missing';
}

/** Files of the live revision that somebody changed by hand; unchanged ones cost one stat each. */
export async function findDrift(host: Host, roots: PolicyRoots, live: Live): Promise<Drift[]> {
	if (live.kind !== 'ours' && live.kind !== 'edited') return [];
	const drift: Drift[] = live.kind === 'edited' ? [{ path: basename(roots.init), what: 'changed' }] : [];
	const directory = join(roots.revisions, live.revision);
	const manifest = findManifest(directory);
	const name = (path: string) => join('revisions', live.revision, path);
	if (manifest === undefined) return [...drift, { path: name('manifest.json'), what: 'missing' }];
	for (const path of await differingFiles(host, directory, manifest)) {
		const isThere = (await host.files.stat(join(directory, path))) !== undefined;
		drift.push({ path: name(path), what: isThere ? 'changed' : 'missing' });
	}
	return drift;
}

/** The manifest of a revision directory, or undefined when there is none that can be read. */
export function findManifest(directory: string): Manifest | undefined {
	try {
		return readManifest(directory);
	} catch {
		return undefined;
	}
}
