import { join } from 'node:path';
import type { App } from '../../app.ts';
import { bytesOf, initLines, sha256 } from '../live.ts';
import { policyRoots, prepareRoots } from '../roots.ts';
import type { PolicyRoots } from '../roots.ts';
import type { ApplierState } from './answer.ts';
import { knownState } from './state.ts';

/** The panel's own, open to nobody else. */
const own = { mode: 0o600 };
const brought = new WeakMap<App['database'], ApplierState>();

/**
 * Lets the mirror say what the applier said last: then everything that looks at the live policy sees what is live, without
 * the right to look there. Does nothing without an applier, and while it says the same.
 */
export async function bringMirror(app: App): Promise<ApplierState | undefined> {
	const state = await knownState(app);
	if (state === undefined || brought.get(app.database) === state) return state;
	const roots = policyRoots(app.env.kumomtaRoot);
	await prepareRoots(app.host, roots);
	await bringLive(app, roots, state);
	await bringText(app, roots.previous, previousText(roots, state));
	await bringText(app, roots.before, state.kept?.shown);
	brought.set(app.database, state);
	return state;
}

async function bringLive(app: App, roots: PolicyRoots, { live }: ApplierState): Promise<void> {
	if ('shown' in live) {
		await app.host.files.makeDirectory(join(roots.root, 'share'), { mode: 0o700 });
		await bringText(app, roots.packaged, live.kind === 'packaged' ? live.shown : '-- not shown\n');
		await bringText(app, roots.original, `${sha256(bytesOf(live.shown))} ${live.sha256}`);
		return bringText(app, roots.init, live.shown);
	}
	if (live.kind === 'absent') return bringText(app, roots.init, undefined);
	const lines = initLines(roots, live.revision);
	await bringText(app, roots.init, live.kind === 'ours' ? lines : lines.replace(/\n.*\n$/, '\n-- edited by hand\n'));
}

function previousText(roots: PolicyRoots, { previous }: ApplierState): string | undefined {
	if (previous === null) return undefined;
	return typeof previous === 'object' ? '-- a policy that is not the panel’s\n' : initLines(roots, previous);
}

/** One character a byte; undefined: no file. */
async function bringText(app: App, path: string, text: string | undefined): Promise<void> {
	if (text === undefined) return app.host.files.remove(path);
	const bytes = bytesOf(text);
	const found = await app.host.files.readBytes(path).catch(() => undefined);
	if (found === undefined || !bytes.equals(found)) await app.host.files.replaceFile(path, bytes, own);
}
