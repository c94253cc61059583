import { join } from 'node:path';
import { eq } from 'drizzle-orm';
import { counted } from '../../shared/counted.ts';
import type { App } from '../app.ts';
import { UserError } from '../core/errors.ts';
import { dovecotPlace } from '../dovecot/service.ts';
import type { Caller } from '../core/trpc.ts';
import { assertMayReplace, assertReviewed, assertSound } from './apply-check.ts';
import type { Permission } from './apply-check.ts';
import { applyThroughApplier } from './applier/through.ts';
import { markApplied, nextRevisionNumber, recordTakeOver, reserveRevision } from './apply-record.ts';
import { startApply } from './apply-run.ts';
import type { ApplyAnswer, ApplyRun, ApplyTimes } from './apply-run.ts';
import { compilePolicy } from './compile.ts';
import type { Compiled, CompileRequest } from './compile.ts';
import { panelCredential } from './credential.ts';
import { findManifest } from './drift.ts';
import { findFileDrift } from './file-drift.ts';
import { lookAtKeys } from './key-drift.ts';
import { checkKumodVersion } from './kumod-version.ts';
import { compileRequest } from './pending.ts';
import { privateKeysOf } from './private-keys.ts';
import { runPipeline } from './pipeline.ts';
import type { Pipeline } from './pipeline.ts';
import { guardRoutes } from './routes/guard.ts';
import { removeOldRevisions } from './retention.ts';
import { policyRoots } from './roots.ts';
import type { ApplyOutcome } from './steps.ts';
import { revisions } from './tables.ts';
import { watchHooksOf } from './watch-hooks.ts';

export interface Wishes extends Permission {
	reason?: string | undefined;
	/** Ids of live objects that may drop out. */
	dropping?: string[] | undefined;
	/** Names of golden routes that may be broken. */
	overridingRoutes?: string[] | undefined;
}

/**
 * Applies what the editing tables say, if it is still what was reviewed.
 * @throws UserError pending-moved, apply-running (CONFLICT); problems, policy-not-ours, drift, kumomta-too-old,
 *   routes-broken (PRECONDITION_FAILED). Nothing went live then.
 */
export function applyPending(
	app: App,
	caller: Caller,
	{ expectedHash, ...wishes }: Wishes & { expectedHash: string },
	times?: ApplyTimes
): Promise<ApplyAnswer> {
	const request = { caller, hash: expectedHash, reason: wishes.reason ?? null, times };
	return startApply(app, request, async (run) => {
		const source = await compileRequest(app, run.live);
		return applySource(run, source, wishes, (hash) => assertReviewed(hash, expectedHash));
	});
}

/**
 * Applies the data, program and custom.lua of an older revision as a new one; the editing tables stay as they are.
 * @throws UserError as `applyPending`, without pending-moved; NOT_FOUND when its files are gone.
 */
export async function restoreRevision(
	app: App,
	caller: Caller,
	{ number, ...wishes }: Wishes & { number: number },
	times?: ApplyTimes
): Promise<ApplyAnswer> {
	const roots = policyRoots(app.env.kumomtaRoot);
	const [row] = await app.db.select().from(revisions).where(eq(revisions.number, number)).limit(1);
	const directory = row === undefined || row.directory === '' ? undefined : join(roots.revisions, row.directory);
	if (row === undefined || directory === undefined || findManifest(directory) === undefined) throw revisionGone(number);
	const reason = wishes.reason ?? `Restores revision ${number}.`;
	return startApply(app, { caller, hash: row.hash, reason, times }, async (run) => {
		const source = await compileRequest(app, run.live, directory);
		return applySource(run, source, { ...wishes, reason }, () => {});
	});
}

export function revisionGone(number: number): UserError {
	return new UserError(
		'NOT_FOUND',
		`Revision ${number} does not exist, or its files were removed after their time. Nothing was changed. Choose another one.`,
		{ reason: 'no-such-revision' }
	);
}

async function applySource(
	run: ApplyRun,
	source: CompileRequest,
	wishes: Wishes,
	assertHash: (hash: string) => void
): Promise<ApplyOutcome> {
	const { app, steps } = run;
	const compiled = await steps.run('snapshot', async () => {
		const value = await compilePolicy(app, { ...source, dropping: wishes.dropping ?? [] });
		const { domains, senders, keys } = value.manifest.counts;
		return {
			value,
			status: 'ok',
			output: `${counted(domains, 'domain')}, ${counted(senders, 'sender')}, ${counted(keys, 'DKIM key')}, read in one transaction.`
		};
	});
	try {
		await steps.run('render', async () => {
			assertHash(compiled.hash);
			await app.host.faultPoint('render.done');
			return { value: undefined, status: 'ok', output: `Rendered while it was read. Hash ${compiled.hash}.` };
		});
		const isUnchanged = await steps.run('check', () => check(run, compiled, wishes));
		if (isUnchanged) return 'unchanged';
		return await applyCompiled(run, compiled, { ...wishes, from: source.from ?? null });
	} finally {
		compiled.release();
	}
}

/** Everything that can refuse an apply before anything is written. Answers whether there is nothing to do. */
async function check(run: ApplyRun, compiled: Compiled, wishes: Wishes) {
	const { app, live, roots } = run;
	const mayRun = app.env.kumodBin !== undefined && app.env.applier === undefined;
	const version = mayRun ? await checkKumodVersion(app.host, app.env.kumodBin ?? '') : undefined;
	const drift = await findFileDrift(app, roots, live);
	assertMayReplace(policyRoots(app.env.systemRoot).init, { live, drift }, wishes);
	assertSound(compiled);
	const { errors, warnings } = compiled.problemCounts;
	const facts = [
		version === undefined ? undefined : `KumoMTA ${version}.`,
		errors === 0
			? undefined
			: `${errors === 1 ? 'One object is not ready and stays' : `${errors} objects are not ready and stay`} out.`,
		warnings === 0 ? undefined : `${warnings === 1 ? 'One warning' : `${warnings} warnings`}.`
	];
	const isUnchanged = drift.length === 0 && (await isLiveAlready(run, compiled));
	const output = [isUnchanged ? 'This is what is live.' : 'Nothing stands in the way.', ...facts]
		.filter(Boolean)
		.join(' ');
	return { value: isUnchanged, status: 'ok' as const, output };
}

async function isLiveAlready({ app, live, roots }: ApplyRun, compiled: Compiled): Promise<boolean> {
	if (live.kind !== 'ours') return false;
	const directory = join(roots.revisions, live.revision);
	if (findManifest(directory)?.hash !== compiled.hash) return false;
	return (await lookAtKeys(app, roots, live)).length === 0;
}

async function applyCompiled(
	run: ApplyRun,
	compiled: Compiled,
	wishes: Wishes & { from: string | null }
): Promise<ApplyOutcome> {
	const { app, caller, roots, live, id } = run;
	const number = await nextRevisionNumber(app, roots);
	const name = `${number}-${compiled.hash.slice(0, 12)}`;
	run.revision = { number, directory: name };
	await reserveRevision(app, {
		applyId: id,
		number,
		directory: name,
		hash: compiled.hash,
		actor: caller.actor,
		actorName: caller.name,
		reason: wishes.reason ?? null,
		changeCount: compiled.changes.total
	});
	const routes = (directory: string) => guardRoutes(app, directory, wishes.overridingRoutes ?? []);
	const outcome =
		app.env.applier === undefined
			? await runPipeline(await watchedPipeline(run), {
					...{ number, name, live, routes },
					directoryHash: compiled.manifest.directoryHash,
					write: (directory, linkDirectoryFrom) => compiled.writeTo(directory, { revision: name, linkDirectoryFrom }),
					privateKeys: (keys) => privateKeysOf(app, keys)
				})
			: await applyThroughApplier(run, compiled, { number, name, routes, ...wishes });
	if (outcome === 'failed' || outcome === 'running') return outcome;
	await run.steps.run('record', () => record(run, outcome));
	return outcome;
}

const watchedPipeline = async (run: ApplyRun): Promise<Pipeline> => ({
	...(await pipelineOf(run)),
	watch: await watchHooksOf(run)
});

export async function pipelineOf({ app, roots, steps, patience }: ApplyRun): Promise<Pipeline> {
	const { host, kumod, clock, env } = app;
	const credential = await panelCredential(app);
	const mail = dovecotPlace(host, env);
	return { host, kumod, roots, clock, steps, patience, mail, kumodBin: env.kumodBin, credential };
}

async function record(run: ApplyRun, outcome: ApplyOutcome) {
	const { app, roots, live, revision } = run;
	await app.host.faultPoint('record.before');
	if (live.kind === 'foreign' || live.kind === 'packaged') await recordTakeOver(app, live.text, live.sha256);
	if (outcome === 'applied' && revision !== undefined) {
		await markApplied(app, roots, revision.number, revision.directory);
		await app.host.faultPoint('record.marked');
		// Old revisions may stay longer than they should; that does not undo what was applied.
		await removeOldRevisions(app, roots).catch((error: unknown) =>
			app.log.warn('old revisions were not removed', { error })
		);
	}
	return { value: undefined, status: 'ok' as const, output: `Recorded as ${outcome}.` };
}
