import type { App } from '../app.ts';
import { auditJob } from '../audit/service.ts';
import { UserError } from '../core/errors.ts';
import { credentialFor, panelCredential } from './credential.ts';
import { readLive } from './live.ts';
import { takeLock } from './lock.ts';
import { manifestOf } from './pipeline.ts';
import type { Pipeline } from './pipeline.ts';
import { findDueRefresh, forgetRefresh, refreshKumod, rememberRefresh } from './refresh.ts';
import type { DueRefresh } from './refresh.ts';
import { policyRoots } from './roots.ts';
import type { PolicyRoots } from './roots.ts';
import type { StepResult } from './step-result.ts';

const retryAfterMs = 60_000;

/**
 * Pays an owed refresh: the second configuration epoch after pools or sources changed, or the first one when the panel
 * stopped between the swap and it. For a revision that is no longer live nothing is owed.
 */
export async function refreshAgain(app: App): Promise<void> {
	// Owed by whoever swaps: the applier pays its own.
	if (app.env.applier !== undefined) return;
	const roots = policyRoots(app.env.kumomtaRoot);
	const due = await findDueRefresh(app.host, roots);
	if (due === undefined || due.dueAt > app.clock()) return;
	let release: () => void;
	try {
		release = takeLock(roots, { actor: 'job:policy.refresh-again', since: app.clock(), pid: process.pid });
	} catch (error) {
		if (error instanceof UserError && error.detail.reason === 'apply-running') return;
		throw error;
	}
	try {
		const due = await payOwedRefresh({ ...app, credential: await panelCredential(app) }, roots);
		if (due === undefined) return;
		const { still, result } = due;
		if (result?.status === 'failed') {
			app.log.warn('an owed refresh failed', { revision: still.revision, kind: still.kind, output: result.output });
			return;
		}
		if (result?.status === 'ok')
			await auditJob(app, {
				job: 'policy.refresh-again',
				action: 'policy.refresh',
				target: still.revision,
				input: { kind: still.kind, output: result.output }
			});
	} finally {
		release();
	}
}

/** What paying needs of the app, or of a process of root that has none. */
export interface RefreshApp extends Pick<Pipeline, 'host' | 'kumod' | 'clock' | 'credential'> {
	env: { kumodBin: string | undefined };
}

/** Needs the lock. Undefined when nothing is due. A refresh that failed is due again after a minute. */
export async function payOwedRefresh(
	{ host, kumod, clock, env, credential }: RefreshApp,
	roots: PolicyRoots
): Promise<{ still: DueRefresh; result: StepResult | undefined } | undefined> {
	const still = await findDueRefresh(host, roots);
	if (still === undefined || still.dueAt > clock()) return undefined;
	const live = await readLive(host, roots);
	const isLive = 'revision' in live && live.revision === still.revision;
	const context = {
		...{ host, kumod, isInstalled: env.kumodBin !== undefined },
		credential: credentialFor(credential, manifestOf(roots, live))
	};
	const result = isLive ? await refreshKumod(context, still.kind) : undefined;
	if (result?.status === 'failed') await rememberRefresh(host, roots, { ...still, dueAt: clock() + retryAfterMs });
	else await forgetRefresh(host, roots);
	return { still, result };
}
