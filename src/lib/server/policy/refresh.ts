import { z } from 'zod';
import type { Host } from '../host/host.ts';
import { KumodError } from '../kumod/http.ts';
import type { Credential } from '../kumod/http.ts';
import type { Kumod } from '../kumod/client.ts';
import { policyAccess } from './roots.ts';
import type { PolicyRoots } from './roots.ts';
import type { StepResult } from './step-result.ts';

/** How KumoMTA learns of a new revision: a new process, or a new configuration epoch. */
export type RefreshKind = 'restart' | 'bump';

/** A refresh that is still owed; it lies beside the policy, so that it outlives this process. */
const dueRefresh = z.object({ revision: z.string(), kind: z.enum(['restart', 'bump']), dueAt: z.int() });
export type DueRefresh = z.infer<typeof dueRefresh>;

/** Pools and sources live 60 s in KumoMTA's own cache whatever the epoch (docs/reference/kumo/make_egress_pool). */
export const secondBumpAfterMs = 65_000;

export interface RefreshContext {
	host: Host;
	kumod: Kumod;
	credential: Credential | undefined;
	isInstalled: boolean;
}

export async function refreshKumod(context: RefreshContext, kind: RefreshKind): Promise<StepResult> {
	return kind === 'restart' ? restart(context) : bump(context);
}

async function restart({ host, kumod, isInstalled }: RefreshContext): Promise<StepResult> {
	const unit = await host.systemd.status('kumomta');
	if (unit.isManaged) {
		const { isDone, detail } = await host.systemd.restart('kumomta');
		return { status: isDone ? 'ok' : 'failed', output: detail };
	}
	const isAway = (await kumod.checkLiveness()).state === 'unreachable';
	if (!isInstalled && isAway) return { status: 'skipped', output: `KumoMTA is not installed here. ${unit.detail}` };
	const todo = isAway
		? 'KumoMTA does not run; it reads this revision when it starts.'
		: 'KumoMTA must be restarted by hand: until then it keeps its old listeners, spool and logs.';
	return { status: 'skipped', output: `${unit.detail} ${todo}` };
}

async function bump({ kumod, credential, isInstalled }: RefreshContext): Promise<StepResult> {
	try {
		await kumod.bumpConfigEpoch(credential);
		return { status: 'ok', output: 'KumoMTA started a new configuration epoch: handlers and data are read anew.' };
	} catch (error) {
		if (!(error instanceof KumodError)) throw error;
		if (error.isReached) return { status: 'failed', output: error.message };
		const who = isInstalled ? 'KumoMTA does not run' : 'KumoMTA is not installed here';
		return { status: 'skipped', output: `${who}; it reads this revision when it starts. ${error.message}` };
	}
}

export async function rememberRefresh(host: Host, roots: PolicyRoots, due: DueRefresh): Promise<void> {
	await host.files.replaceFile(roots.refreshDue, JSON.stringify(due), policyAccess(host).file);
}

export async function forgetRefresh(host: Host, roots: PolicyRoots): Promise<void> {
	await host.files.remove(roots.refreshDue);
}

export async function findDueRefresh(host: Host, roots: PolicyRoots): Promise<DueRefresh | undefined> {
	const text = await host.files.readText(roots.refreshDue, 4096);
	if (text === undefined) return undefined;
	try {
		return dueRefresh.parse(JSON.parse(text));
	} catch {
		return undefined;
	}
}

/** The refresh that was owed is made; the second epoch outlives this process. */
export async function planSecondBump(
	host: Host,
	roots: PolicyRoots,
	{ revision, dueAt }: { revision: string; dueAt: number | undefined }
): Promise<void> {
	if (dueAt === undefined) await forgetRefresh(host, roots);
	else await rememberRefresh(host, roots, { revision, kind: 'bump', dueAt });
}

export const refreshContext = ({
	host,
	kumod,
	credential,
	kumodBin
}: Omit<RefreshContext, 'isInstalled'> & { kumodBin: string | undefined }): RefreshContext => ({
	host,
	kumod,
	credential,
	isInstalled: kumodBin !== undefined
});
