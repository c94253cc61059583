import type { App } from '../app.ts';
import { auditJob } from '../audit/service.ts';
import { UserError } from '../core/errors.ts';
import { credentialFor, panelCredential } from './credential.ts';
import { readLive } from './live.ts';
import { takeLock } from './lock.ts';
import { manifestOf } from './pipeline.ts';
import { findDueRefresh, forgetRefresh, refreshKumod, rememberRefresh } from './refresh.ts';
import { policyRoots } from './roots.ts';

const retryAfterMs = 60_000;

/**
 * Pays an owed refresh: the second configuration epoch after pools or sources changed, or the first one when the panel
 * stopped between the swap and it. For a revision that is no longer live nothing is owed.
 */
export async function refreshAgain(app: App): Promise<void> {
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
		const still = await findDueRefresh(app.host, roots);
		if (still === undefined || still.dueAt > app.clock()) return;
		const live = await readLive(app.host, roots);
		const isLive = 'revision' in live && live.revision === still.revision;
		const { host, kumod, env } = app;
		const credential = credentialFor(await panelCredential(app), manifestOf(roots, live));
		const context = { host, kumod, credential, isInstalled: env.kumodBin !== undefined };
		const result = isLive ? await refreshKumod(context, still.kind) : undefined;
		if (result?.status === 'failed') {
			app.log.warn('an owed refresh failed', { revision: still.revision, kind: still.kind, output: result.output });
			await rememberRefresh(host, roots, { ...still, dueAt: app.clock() + retryAfterMs });
			return;
		}
		if (result?.status === 'ok')
			await auditJob(app, {
				job: 'policy.refresh-again',
				action: 'policy.refresh',
				target: still.revision,
				input: { kind: still.kind, output: result.output }
			});
		await forgetRefresh(host, roots);
	} finally {
		release();
	}
}
