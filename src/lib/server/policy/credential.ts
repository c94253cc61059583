import type { App } from '../app.ts';
import type { Credential } from '../kumod/http.ts';
import { getSettingsRow } from '../settings/service.ts';

/** How the panel signs in to KumoMTA's HTTP API; undefined in `trusted` mode, where its address is enough. */
export async function panelCredential(app: App): Promise<Credential | undefined> {
	const { httpApi, httpApiPassword } = await getSettingsRow(app.db);
	if (httpApi !== 'credential' || httpApiPassword === null) return undefined;
	return { user: 'kumomta-ui', password: app.keys.panel.open(httpApiPassword, 'settings.httpApi.password') };
}
