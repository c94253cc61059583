import type { BadgeKind } from '$lib/ui/badge-kind';

/** The part of `policy.status` that the summary is made from. */
export interface ServerStatus {
	liveRevision: number | null;
	dirty: boolean;
	changes: number;
	computing?: boolean;
	drift: unknown[];
	foreign: { mayReplace: boolean } | null;
	runningApplyId: string | null;
	kumomta: { isInstalled: boolean; root: string };
}

/** What `kumod.status` knows of the process. */
export interface ProcessStatus {
	state: 'never' | 'answering' | 'away' | 'refusing';
	version: string | null;
}

/** The state of the server in words. */
export function summary(
	status: ServerStatus,
	process: ProcessStatus | null = null
): {
	kind: BadgeKind;
	word: string;
	kumomta: string;
	waiting: string;
	files: string;
} {
	return { ...badge(status), kumomta: kumomta(status, process), waiting: waiting(status), files: files(status) };
}

function badge({ liveRevision, dirty, drift, runningApplyId }: ServerStatus): { kind: BadgeKind; word: string } {
	if (runningApplyId !== null) return { kind: 'neutral', word: 'applying' };
	if (drift.length > 0) return { kind: 'warn', word: 'changed by hand' };
	if (liveRevision === null) return { kind: 'neutral', word: 'nothing live' };
	return dirty ? { kind: 'warn', word: 'not all live' } : { kind: 'ok', word: 'all live' };
}

function kumomta({ kumomta: { isInstalled, root } }: ServerStatus, process: ProcessStatus | null): string {
	if (process?.state === 'answering')
		return process.version === null ? 'Running' : `Running, version ${process.version}`;
	if (process?.state === 'refusing') return 'Running, but it refuses the panel';
	if (process?.state === 'away') return 'Not answering';
	return isInstalled
		? `Installed in ${root}`
		: `Not installed on this machine. Policies are made and checked in ${root}; no mail is sent from here.`;
}

function waiting({ computing, dirty, changes }: ServerStatus): string {
	if (computing) return 'Being compared';
	if (!dirty) return 'Nothing';
	return `${changes.toLocaleString('en')} ${changes === 1 ? 'change' : 'changes'}`;
}

function files({ liveRevision, foreign }: ServerStatus): string {
	if (foreign?.mayReplace) return "KumoMTA's own sample policy. The first apply replaces it.";
	if (foreign) return 'A policy that this panel did not write. An apply asks before it takes over.';
	return liveRevision === null ? 'None yet' : 'As the panel wrote them';
}
