import type { App } from './app.ts';
import { finishAudit, startAudit } from './audit/service.ts';
import { isFlood } from './auth/flood.ts';
import { clientNetwork } from './auth/limits.ts';
import { findCaller } from './auth/sessions.ts';
import { UserError } from './core/errors.ts';
import type { Caller, Gate } from './core/trpc.ts';

/** Audit rows of strangers, per network in a quarter of an hour; more than all limits of login and setup together. */
const rowsPerAddress = { denied: 30, open: 60 };

/** Joins the procedure builders with the features that keep sessions and the audit log. */
export function createGate(app: App): Gate {
	return {
		findCaller: (token) => findCaller(app, token),
		startAudit: async (entry) => {
			const isOpen = entry.caller.actor === 'anonymous';
			if (isOpen && isFlood(app, `open ${clientNetwork(entry.address)}`, rowsPerAddress.open)) return null;
			return startAudit(app, entry);
		},
		startAuditAlways: (entry) => startAudit(app, entry),
		finishAudit: (id, end) => finishAudit(app, id, end),
		async auditDenied(entry) {
			if (isFlood(app, `denied ${clientNetwork(entry.address)}`, rowsPerAddress.denied)) return;
			const id = await startAudit(app, entry);
			await finishAudit(app, id, { outcome: entry.outcome, reason: entry.reason, target: entry.target });
		}
	};
}

/**
 * Runs work that is no procedure (the command line's own) between the same two audit writes: the input is kept with its
 * secrets as `[secret]`, the end is `ok` or the error's code.
 */
export async function runAudited<Result extends { id: string }>(
	app: App,
	{ caller, action, input }: { caller: Caller; action: string; input: unknown },
	work: () => Promise<Result>
): Promise<Result> {
	const start = {
		caller,
		action,
		input,
		target: null,
		address: null,
		requestId: 'local',
		outcome: 'started',
		reason: null
	};
	const entry = await startAudit(app, start);
	try {
		const result = await work();
		await finishAudit(app, entry, { outcome: 'ok', reason: null, target: result.id });
		return result;
	} catch (error) {
		const known = error instanceof UserError ? error : undefined;
		const end = { outcome: known?.code ?? 'INTERNAL_SERVER_ERROR', reason: known?.detail.reason ?? null, target: null };
		await finishAudit(app, entry, end);
		throw error;
	}
}
