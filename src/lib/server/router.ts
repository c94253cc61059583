import type { App } from './app.ts';
import { auditRouter } from './audit/router.ts';
import { authRouter } from './auth/router.ts';
import { bouncesRouter } from './bounces/router.ts';
import { createGate } from './gate.ts';
import { dkimRouter } from './dkim/router.ts';
import { domainsRouter } from './domains/router.ts';
import { feedbackRouter } from './feedback/router.ts';
import { healthRouter } from './health/router.ts';
import { router } from './core/trpc.ts';
import type { Caller, Context } from './core/trpc.ts';
import { kumodRouter } from './kumod/router.ts';
import { policyRouter } from './policy/router.ts';
import { importsRouter } from './imports/router.ts';
import { poolsRouter } from './pools/router.ts';
import { sendersRouter } from './senders/router.ts';
import { suppressionRouter } from './suppression/router.ts';
import { settingsRouter } from './settings/router.ts';
import { sourcesRouter } from './sources/router.ts';

export const appRouter = router({
	auth: authRouter,
	settings: settingsRouter,
	sources: sourcesRouter,
	pools: poolsRouter,
	domains: domainsRouter,
	dkim: dkimRouter,
	senders: sendersRouter,
	imports: importsRouter,
	bounces: bouncesRouter,
	suppression: suppressionRouter,
	feedback: feedbackRouter,
	kumod: kumodRouter,
	policy: policyRouter,
	health: healthRouter,
	audit: auditRouter
});

export type AppRouter = typeof appRouter;

/** Calls inside the process (command line, jobs): the same procedures, rules and audit rows, without a token. */
export function createCaller(app: App, caller: Caller, requestId = 'local') {
	const context: Context = {
		app,
		gate: createGate(app),
		requestId,
		address: null,
		userAgent: 'local',
		token: null,
		local: caller
	};
	return appRouter.createCaller(context);
}
