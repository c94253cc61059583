import { defaultListeners } from './node.ts';
import type { Manifest } from './revision.ts';

/** The listeners that a revision opens. */
export function listenersOf(manifest: Manifest | undefined): typeof defaultListeners {
	return manifest?.settings.listeners ?? (manifest === undefined ? [] : defaultListeners);
}
