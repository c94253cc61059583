import type { App } from '../app.ts';
import type { Credential } from '../kumod/http.ts';
import { getSettingsRow } from '../settings/service.ts';
import type { Manifest } from './revision.ts';

/** How the panel signs in to KumoMTA's HTTP API where that asks for it; undefined while it never did. */
export async function panelCredential(app: App): Promise<Credential | undefined> {
	const { httpApiPassword } = await getSettingsRow(app.db);
	if (httpApiPassword === null) return undefined;
	return { user: 'kumomta-ui', password: app.keys.panel.open(httpApiPassword, 'settings.httpApi.password') };
}

/** What a KumoMTA that runs this revision expects; in `trusted` mode the panel's address is enough. */
export function credentialFor(
	credential: Credential | undefined,
	manifest: Manifest | undefined
): Credential | undefined {
	return manifest?.settings.httpApi === 'credential' ? credential : undefined;
}
