import type { App } from './app.ts';
import { finishAudit, startAudit } from './audit/service.ts';
import { clientNetwork, countAttempt } from './auth/limits.ts';
import { findCaller } from './auth/sessions.ts';
import type { Gate } from './core/trpc.ts';

const deniedRowsPerAddress = 30;

/** Joins the procedure builders with the features that keep sessions and the audit log. */
export function createGate(app: App): Gate {
	return {
		findCaller: (token) => findCaller(app, token),
		startAudit: (entry) => startAudit(app, entry),
		finishAudit: (id, end) => finishAudit(app, id, end),
		async auditDenied(entry) {
			const counted = await countAttempt(app, `denied ${clientNetwork(entry.address)}`, deniedRowsPerAddress).catch(
				() => null
			);
			if (counted === null) return;
			const id = await startAudit(app, entry);
			await finishAudit(app, id, { outcome: entry.outcome, reason: entry.reason, target: entry.target });
		}
	};
}
