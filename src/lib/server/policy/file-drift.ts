import type { App } from '../app.ts';
import { knownState } from './applier/state.ts';
import { findDrift } from './drift.ts';
import type { Drift } from './drift.ts';
import { isKey } from './key-drift.ts';
import type { Live } from './live.ts';
import { findMailDrift } from './mail-step.ts';
import type { PolicyRoots } from './roots.ts';

/** Drift of everything but key files, looked at now; or as the applier, which may look there, said it last. */
export async function findFileDrift(app: App, roots: PolicyRoots, live: Live): Promise<Drift[]> {
	if (app.env.applier !== undefined) return ((await knownState(app))?.drift ?? []).filter((each) => !isKey(each));
	return [...(await findDrift(app.host, roots, live)), ...(await findMailDrift(app, roots, live))];
}
