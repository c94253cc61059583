import { join } from 'node:path';
import type { App } from '../app.ts';
import type { Secret } from '../core/secret.ts';
import type { Host } from '../host/host.ts';
import { readKeys } from './directory.ts';
import type { PolicyRoots } from './roots.ts';
import { sealedKeys } from './snapshot.ts';

/** Opens the keys whose files a stage must write. @param ids at most 500. */
export async function privateKeysOf(app: App, ids: string[]): Promise<Map<string, Secret>> {
	const sealed = await sealedKeys(app.db, ids);
	return new Map([...sealed].map(([id, text]) => [id, app.keys.applier.open(text, 'dkim.privateKey')]));
}

/** Whether each key of a revision has its file. */
export async function hasAllKeys(host: Host, roots: PolicyRoots, directory: string): Promise<boolean> {
	for (const { domain, selector } of readKeys(join(directory, 'directory.sqlite'))) {
		if ((await host.files.stat(join(roots.dkim, domain, `${selector}.key`))) === undefined) return false;
	}
	return true;
}
