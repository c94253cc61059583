import type { App } from '../app.ts';
import type { Credential } from '../kumod/http.ts';
import { credentialFor, panelCredential } from './credential.ts';
import { readLive } from './live.ts';
import { manifestOf } from './pipeline.ts';
import { policyRoots } from './roots.ts';

/** Asks KumoMTA for its counters, signed in as the revision it runs expects. */
export async function pollMetrics(app: App): Promise<void> {
	await app.metrics.poll(await liveCredential(app));
}

async function liveCredential(app: App): Promise<Credential | undefined> {
	const roots = policyRoots(app.env.kumomtaRoot);
	return credentialFor(await panelCredential(app), manifestOf(roots, await readLive(app.host, roots)));
}
