import { join } from 'node:path';
import type { App } from '../app.ts';
import type { Secret } from '../core/secret.ts';
import { dkimKeyPurpose } from '../dkim/service.ts';
import type { Host } from '../host/host.ts';
import { readKeys } from './directory.ts';
import type { RevisionKey } from './directory.ts';
import type { PolicyRoots } from './roots.ts';
import { sealedKeys } from './snapshot.ts';

/** Opens, by id, the keys whose files a stage must write. @param keys at most 500. */
export async function privateKeysOf(app: App, keys: RevisionKey[]): Promise<Map<string, Secret>> {
	const sealed = await sealedKeys(
		app.db,
		keys.map(({ id }) => id)
	);
	const opened = new Map<string, Secret>();
	for (const { id, domain, selector } of keys) {
		const text = sealed.get(id);
		if (text !== undefined) opened.set(id, app.keys.applier.open(text, dkimKeyPurpose(domain, selector)));
	}
	return opened;
}

/** Whether each key of a revision has its file. */
export async function hasAllKeys(host: Host, roots: PolicyRoots, directory: string): Promise<boolean> {
	for (const { domain, selector } of readKeys(join(directory, 'directory.sqlite'))) {
		if ((await host.files.stat(join(roots.dkim, domain, `${selector}.key`))) === undefined) return false;
	}
	return true;
}
