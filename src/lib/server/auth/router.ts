import { z } from 'zod';
import { nothing } from '../core/inputs.ts';
import { openReader, openWriter, reader, router, writer } from '../core/trpc.ts';
import * as inputs from './inputs.ts';
import * as service from './service.ts';
import * as sessions from './sessions.ts';
import { isSetupRequired } from './setup-code.ts';

export const authRouter = router({
	status: openReader
		.input(nothing)
		.output(z.object({ setupRequired: z.boolean() }))
		.query(async ({ ctx }) => ({ setupRequired: await isSetupRequired(ctx.app) })),
	register: openWriter(inputs.register)
		.output(inputs.signedIn)
		.mutation(({ ctx, input }) => service.register(ctx.app, ctx, input)),
	login: openWriter(inputs.login)
		.output(inputs.signedIn)
		.mutation(({ ctx, input }) => service.login(ctx.app, ctx, input)),
	logout: writer(nothing)
		.output(z.object({}))
		.mutation(async ({ ctx }) => {
			if (ctx.caller.sessionId !== null) await sessions.revokeSession(ctx.app, ctx.caller, ctx.caller.sessionId);
			return {};
		}),
	me: reader
		.input(nothing)
		.output(inputs.user)
		.query(({ ctx }) => ({ id: ctx.caller.userId ?? ctx.caller.actor, email: ctx.caller.name })),
	changePassword: writer(inputs.changePassword)
		.output(inputs.user)
		.mutation(({ ctx, input }) => service.changePassword(ctx.app, ctx.caller, input, ctx)),
	sessions: router({
		list: reader
			.input(inputs.listSessions)
			.output(inputs.sessionPage)
			.query(({ ctx, input }) => sessions.listSessions(ctx.app, ctx.caller, input)),
		revoke: writer(inputs.revokeSession)
			.output(z.object({ id: z.string() }))
			.mutation(({ ctx, input }) => sessions.revokeSession(ctx.app, ctx.caller, input.id)),
		revokeOthers: writer(nothing)
			.output(z.object({ ended: z.int() }))
			.mutation(({ ctx }) => sessions.revokeOtherSessions(ctx.app, ctx.caller))
	})
});
