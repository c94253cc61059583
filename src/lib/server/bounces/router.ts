import { byId, nothing } from '../core/inputs.ts';
import { reader, router, writer } from '../core/trpc.ts';
import * as connection from './connection.ts';
import * as inputs from './inputs.ts';
import * as mailbox from './mailbox.ts';
import * as service from './service.ts';

export const bouncesRouter = router({
	list: reader
		.input(inputs.listBounces)
		.output(inputs.bouncePage)
		.query(({ ctx, input }) => service.listBounces(ctx.app.db, input)),
	get: reader
		.input(byId)
		.output(inputs.bounceItem)
		.query(({ ctx, input }) => service.getBounce(ctx.app.db, input.id)),
	create: writer(inputs.createBounce)
		.output(inputs.bounceWithPassword)
		.mutation(({ ctx, input }) => service.createBounce(ctx.app, input)),
	update: writer(inputs.updateBounce)
		.output(inputs.bounceItem)
		.mutation(({ ctx, input }) => service.updateBounce(ctx.app, input)),
	remove: writer(inputs.removeBounce)
		.output(inputs.removedBounce)
		.mutation(({ ctx, input }) => service.removeBounce(ctx.app, input)),
	setPassword: writer(inputs.setPassword)
		.output(inputs.bounceWithPassword)
		.mutation(({ ctx, input }) => service.setPassword(ctx.app, input)),
	mailbox: reader
		.input(byId)
		.output(inputs.mailbox)
		.query(({ ctx, input }) => mailbox.getMailbox(ctx.app.db, input.id)),
	emptyMailbox: writer(inputs.emptyMailbox)
		.output(inputs.emptied)
		.mutation(({ ctx, input }) => mailbox.emptyMailbox(ctx.app, input)),
	connection: reader
		.input(nothing)
		.output(inputs.connection)
		.query(({ ctx }) => connection.getConnection(ctx.app)),
	checkLogin: writer(inputs.checkLogin)
		.output(inputs.loginCheck)
		.mutation(({ ctx, input }) => connection.checkLogin(ctx.app, input))
});
