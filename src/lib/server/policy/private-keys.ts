import type { App } from '../app.ts';
import type { Secret } from '../core/secret.ts';
import { dkimKeyPurpose } from '../dkim/service.ts';
import type { RevisionKey } from './directory.ts';
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
