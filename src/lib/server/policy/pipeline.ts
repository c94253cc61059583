import { counted } from '../../shared/counted.ts';
import type { Secret } from '../core/secret.ts';
import type { Kumod } from '../kumod/client.ts';
import type { Credential } from '../kumod/http.ts';
import type { Owner } from '../host/files.ts';
import type { DovecotPlace, StagedDovecot } from '../dovecot/service.ts';
import { swapDovecot } from '../dovecot/service.ts';
import type { Host } from '../host/host.ts';
import { credentialFor } from './credential.ts';
import { listenersOf } from './listeners.ts';
import { readLive, textOf } from './live.ts';
import type { Live } from './live.ts';
import type { RevisionKey } from './directory.ts';
import { findManifest } from './drift.ts';
import { join } from 'node:path';
import { lookAtDovecot, prepareMail, tellDovecot, withDovecot } from './mail-step.ts';
import { probeForeign, probeKumod, readLoads } from './probe.ts';
import type { Patience } from './probe.ts';
import { undo } from './put-back.ts';
import {
	findDueRefresh,
	planSecondBump,
	refreshContext,
	refreshKumod,
	rememberRefresh,
	secondBumpAfterMs
} from './refresh.ts';
import type { RefreshKind } from './refresh.ts';
import type { Manifest } from './revision.ts';
import type { PolicyRoots } from './roots.ts';
import { stageRevision } from './stage.ts';
import type { StepResult } from './step-result.ts';
import type { StepLog } from './step-log.ts';
import { stagedInit, swapIn, writeStagedInit } from './swap.ts';
import { validatePolicy } from './validate.ts';
import { needsConfirmation, watchStep } from './watch-step.ts';
import type { WatchHooks } from './watch-step.ts';

/**
 * What the steps from stage to probe need: this machine, KumoMTA and plain values. No database and no session, so that
 * a process of root can run the same steps for the web process.
 */
export interface Pipeline {
	host: Host;
	kumod: Kumod;
	roots: PolicyRoots;
	kumodBin: string | undefined;
	/** The mailboxes and the Dovecot that serves them. */
	mail: DovecotPlace;
	/** Used where the revision that KumoMTA runs asks for it. */
	credential: Credential | undefined;
	clock: () => number;
	patience: Patience;
	steps: StepLog;
	/** Absent: this way to go live is not watched. */
	watch?: WatchHooks | undefined;
}

export interface RevisionToApply {
	number: number;
	/** `<number>-<hash12>` */
	name: string;
	/** What was live when the apply looked. */
	live: Live;
	write: (directory: string, linkDirectoryFrom: string | null) => Promise<unknown>;
	privateKeys: (keys: RevisionKey[]) => Promise<Map<string, Secret>>;
	directoryHash: string;
	/** Whether the golden routes are kept by the staged revision; throws what refuses the apply. */
	routes: (directory: string) => Promise<StepResult>;
}

/** `running`: what comes next is settled later: a confirmation when the server stopped, or a way back that the disk refused. */
export type PipelineOutcome = 'applied' | 'failed' | 'reverted' | 'running';

/**
 * Stages, validates and makes a revision live, tells KumoMTA and looks at it. Before the swap a failure leaves everything
 * as it was; after it, the lines that were live are put back and KumoMTA is told again.
 */
export async function runPipeline(pipeline: Pipeline, revision: RevisionToApply): Promise<PipelineOutcome> {
	const { host, roots, steps } = pipeline;
	const before = manifestOf(roots, revision.live);
	const staged = await steps.run('stage', async () => {
		const sameData = before?.directoryHash === revision.directoryHash ? before : undefined;
		const reader = kumodUser(host, pipeline.kumodBin);
		const { write, privateKeys, name } = revision;
		const made = await stageRevision({ host, roots, revision: name, sameData, reader, write, privateKeys });
		const keys = made.newKeys === 0 ? '' : ` ${counted(made.newKeys, 'new DKIM key file')}.`;
		return { value: made, status: 'ok', output: `Revision ${revision.name} is on disk.${keys}` };
	});
	await steps.run('routes', async () => ({ value: undefined, ...(await revision.routes(staged.directory)) }));
	const isValid = await steps.run('validate', async () => {
		const path = await writeStagedInit(host, roots, revision.name, revision.number);
		await host.faultPoint('validate.staged-init');
		const result = await validatePolicy(host, pipeline.kumodBin, path, pipeline.patience.validateMs);
		return { value: result.status !== 'failed', ...result };
	});
	const { directory, manifest } = staged;
	const dovecot = isValid ? await prepareMail(pipeline, { revision: revision.name, directory, manifest }) : 'refused';
	if (dovecot === 'refused') {
		await host.files.remove(stagedInit(roots, revision.number));
		return 'failed';
	}
	return goLive(pipeline, { revision, manifest, before, dovecot, kind: refreshKind(before, manifest) });
}

/** Who must be able to read the files: KumoMTA's user, where KumoMTA is installed or this is root. */
function kumodUser(host: Host, kumodBin: string | undefined): Owner | undefined {
	return kumodBin !== undefined || host.uid() === 0 ? host.findUser('kumod') : undefined;
}

export function manifestOf(roots: PolicyRoots, live: Live): Manifest | undefined {
	return live.kind === 'ours' || live.kind === 'edited'
		? findManifest(join(roots.revisions, live.revision))
		: undefined;
}

/** What `init` reads changes only with the process; a policy that was not ours shares nothing with this one. */
export function refreshKind(before: Manifest | undefined, now: Manifest | undefined): RefreshKind {
	return before === undefined || now === undefined || before.initHash !== now.initHash ? 'restart' : 'bump';
}

export interface Change {
	revision: { number: number; name: string; live: Live };
	manifest: Manifest | undefined;
	before: Manifest | undefined;
	/** What goes live in Dovecot with it; undefined: Dovecot is left alone. */
	dovecot: StagedDovecot | undefined;
	kind: RefreshKind;
}

interface SwappedChange extends Change {
	loadsBefore: number | undefined;
	secondBumpAt: number | undefined;
}

/** From the swap on; also the way back to an older revision that lies complete on disk. */
export async function goLive(pipeline: Pipeline, change: Change): Promise<PipelineOutcome> {
	const [asBefore, asNow] = [speakingTo(pipeline, change.before), speakingTo(pipeline, change.manifest)];
	const loadsBefore = await readLoads(pipeline.kumod, asBefore.credential);
	const secondBumpAt = await findSecondBump(pipeline, change);
	const mustConfirm = await needsConfirmation(pipeline, change.kind);
	const watch = watchStep(asNow, { ...change, secondBumpAt, mustConfirm });
	const isUnharmed =
		(await swap(pipeline, change)) && (await tellAndLook(asNow, { ...change, loadsBefore, secondBumpAt }));
	const end = isUnharmed ? await watch() : 'back';
	if (end !== 'back') return end === 'left' ? 'running' : 'applied';
	return (await undo(asBefore, { ...change, secondBumpAt })) ? 'reverted' : 'running';
}

/** A KumoMTA that runs a revision asks for the credential, or not, as that revision says; Settings may have moved on. */
const speakingTo = (pipeline: Pipeline, manifest: Manifest | undefined): Pipeline => ({
	...pipeline,
	credential: credentialFor(pipeline.credential, manifest)
});

/** When sources or pools moved, by this change or by one shortly before, one more epoch is owed; a restart pays it. */
async function findSecondBump(
	{ host, roots, clock }: Pipeline,
	{ manifest, before, kind }: Change
): Promise<number | undefined> {
	if (kind === 'restart') return undefined;
	if (before?.sourcesHash !== manifest?.sourcesHash) return clock() + secondBumpAfterMs;
	const owed = await findDueRefresh(host, roots);
	return owed?.kind === 'bump' && owed.dueAt > clock() ? owed.dueAt : undefined;
}

/** Answers false when it failed after its rename: then there is something to put back. */
async function swap(pipeline: Pipeline, { revision, dovecot, kind }: Change): Promise<boolean> {
	const { host, roots, clock, steps, mail } = pipeline;
	try {
		await steps.run('swap', async () => {
			await rememberRefresh(host, roots, { revision: revision.name, kind, dueAt: clock() });
			await host.faultPoint('swap.refresh-remembered');
			await swapIn(host, roots, revision.number, revision.live);
			if (dovecot !== undefined) await swapDovecot(mail, dovecot);
			const names = [roots.init, ...(dovecot === undefined ? [] : [mail.roots.conf])].map(
				(path) => `${path} names revision ${revision.name}.`
			);
			return { value: undefined, status: 'ok', output: names.join('\n') };
		});
		return true;
	} catch (error) {
		const now = await readLive(host, roots);
		if (textOf(now) === textOf(revision.live)) throw error;
		return false;
	}
}

/** Refresh and probe. Answers whether KumoMTA works with the revision, or is not there to be asked. */
async function tellAndLook(pipeline: Pipeline, change: SwappedChange): Promise<boolean> {
	const { host, kumod, credential, patience, steps } = pipeline;
	const { loadsBefore, secondBumpAt, revision, dovecot } = change;
	let told: StepResult | undefined;
	const refreshed = await caught(() =>
		steps.run('refresh', async () => {
			await host.faultPoint('refresh.before');
			const result = await refreshKumod(refreshContext(pipeline), change.kind);
			await host.faultPoint('refresh.told');
			if (result.status !== 'failed')
				await planSecondBump(host, pipeline.roots, { revision: revision.name, dueAt: secondBumpAt });
			if (result.status !== 'failed' && dovecot !== undefined) told = await tellDovecot(pipeline);
			const both = withDovecot(result, told);
			return { value: both, ...both };
		})
	);
	if (refreshed.status === 'failed') return false;
	const probed = await caught(() =>
		steps.run('probe', async () => {
			await host.faultPoint('probe.before');
			const listeners = listenersOf(change.manifest);
			const target = { kumod, credential, patience, loadsBefore, refreshed: change.kind, listeners };
			const probe = change.manifest === undefined ? probeForeign : probeKumod;
			const result: StepResult = refreshed.status === 'skipped' ? nothingToProbe : await probe(target);
			const both =
				result.status === 'failed' ? result : withDovecot(result, await lookAtDovecot(pipeline, dovecot, told));
			return { value: both, ...both };
		})
	);
	return probed.status !== 'failed';
}

const nothingToProbe: StepResult = {
	status: 'skipped',
	output: 'KumoMTA was not told, so there is nothing to look at.'
};

/** After the swap even a bug must lead back, so it becomes a failed step. */
async function caught(work: () => Promise<StepResult>): Promise<StepResult> {
	try {
		return await work();
	} catch (error) {
		return { status: 'failed', output: error instanceof Error ? error.message : String(error) };
	}
}
