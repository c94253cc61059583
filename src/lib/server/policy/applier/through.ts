import { basename } from 'node:path';
import type { App } from '../../app.ts';
import { getSettingsRow } from '../../settings/service.ts';
import type { Permission } from '../apply-check.ts';
import type { ApplyRun } from '../apply-run.ts';
import type { Compiled } from '../compile.ts';
import { readKeys } from '../directory.ts';
import type { RevisionKey } from '../directory.ts';
import { isKey } from '../key-drift.ts';
import type { PipelineOutcome } from '../pipeline.ts';
import { manifestOf } from '../pipeline.ts';
import { readRevisionHead, readRevisionSenders } from '../revision.ts';
import { sealedKeys } from '../snapshot.ts';
import { stageFiles } from '../stage.ts';
import type { StepResult } from '../step-result.ts';
import { goThroughApplier } from './follow.ts';
import type { WishOf } from './request.ts';
import { knownState } from './state.ts';
import { join } from 'node:path';

interface ToApply extends Permission {
	number: number;
	name: string;
	dropping?: string[] | undefined;
	/** Directory of the older revision that is restored; null: the pending one is applied. */
	from: string | null;
	routes: (directory: string) => Promise<StepResult>;
}

/**
 * The steps from `stage` on where an applier does what needs rights: the revision is laid into the mirror and held against
 * the golden routes here; the applier then makes it again from the data alone, and makes that live.
 */
export async function applyThroughApplier(
	run: ApplyRun,
	compiled: Compiled,
	revision: ToApply
): Promise<PipelineOutcome> {
	const { app, steps } = run;
	const { number, name, from } = revision;
	const directory = await steps.run('stage', () => stageInMirror(run, compiled, name));
	await steps.run('routes', async () => ({ value: undefined, ...(await revision.routes(directory)) }));
	const going = { ...(await watchWish(app)), ...permission(revision) };
	const wish: WishOf<'apply'> | WishOf<'restore'> =
		from === null
			? { kind: 'apply', number, hash: compiled.hash, dropping: revision.dropping ?? [], ...going }
			: { kind: 'restore', number, hash: compiled.hash, from: basename(from), ...going };
	return goThroughApplier(run, wish, linesOf(app, compiled, from === null));
}

async function stageInMirror({ app, roots, live }: ApplyRun, compiled: Compiled, name: string) {
	const before = manifestOf(roots, live);
	const { directory } = await stageFiles({
		...{ host: app.host, roots, revision: name },
		sameData: before?.directoryHash === compiled.manifest.directoryHash ? before : undefined,
		write: (to, linkDirectoryFrom) => compiled.writeTo(to, { revision: name, linkDirectoryFrom })
	});
	const output = `Revision ${name} is ready. The applier makes it again from the data and puts it on KumoMTA’s disk.`;
	return { value: directory, status: 'ok' as const, output };
}

/** What is watched, as Settings say. */
export async function watchWish(app: App): Promise<Pick<WishOf<'apply'>, 'watchSeconds' | 'confirmListeners'>> {
	const { watchSeconds, confirmListeners } = await getSettingsRow(app.db);
	return { watchSeconds, confirmListeners };
}

const permission = ({ takeOver, overwriteDrift }: Permission) => ({
	takeOver: takeOver ?? null,
	overwriteDrift: overwriteDrift ?? false
});

/** Everything that the revision is made of; what the checks kept out of it stays out. */
async function* linesOf(app: App, compiled: Compiled, withData: boolean): AsyncGenerator<unknown> {
	const head = readRevisionHead(compiled.directory);
	if (withData) yield ['head', head];
	yield* keyLines(app, compiled);
	if (!withData) return;
	for (const sender of readRevisionSenders(compiled.directory, head)) yield ['sender', sender];
}

const keysAtOnce = 500;

/** Keys whose file the applier may lack: those that the live revision has not, and those that it says are missing. */
async function* keyLines(app: App, { directory, live }: Compiled): AsyncGenerator<unknown> {
	const keysIn = (where: string) => readKeys(join(where, 'directory.sqlite'));
	const there = new Set(live === null ? [] : Array.from(keysIn(live), ({ id }) => id));
	const drift = (await knownState(app))?.drift ?? [];
	const missing = new Set(drift.filter(isKey).map(({ path }) => path));
	const isLacking = ({ id, domain, selector }: RevisionKey) =>
		!there.has(id) || missing.has(join('dkim', domain, `${selector}.key`));
	const lacking = Array.from(keysIn(directory)).filter(isLacking);
	for (let at = 0; at < lacking.length; at += keysAtOnce) {
		const ids = lacking.slice(at, at + keysAtOnce).map(({ id }) => id);
		for (const [id, sealed] of await sealedKeys(app.db, ids)) yield ['key', { id, sealed }];
	}
}
