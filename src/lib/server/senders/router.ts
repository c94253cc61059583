import { byId, removeById } from '../core/inputs.ts';
import { reader, router, writer } from '../core/trpc.ts';
import * as inputs from './inputs.ts';
import * as service from './service.ts';

export const sendersRouter = router({
	list: reader
		.input(inputs.listSenders)
		.output(inputs.senderPage)
		.query(({ ctx, input }) => service.listSenders(ctx.app.db, input)),
	get: reader
		.input(byId)
		.output(inputs.senderItem)
		.query(({ ctx, input }) => service.getSender(ctx.app.db, input.id)),
	create: writer(inputs.createSender)
		.output(inputs.senderWithPassword)
		.mutation(({ ctx, input }) => service.createSender(ctx.app, input)),
	update: writer(inputs.updateSender)
		.output(inputs.senderItem)
		.mutation(({ ctx, input }) => service.updateSender(ctx.app, input)),
	remove: writer(removeById)
		.output(inputs.removedSender)
		.mutation(({ ctx, input }) => service.removeSender(ctx.app, input)),
	setPassword: writer(inputs.setPassword)
		.output(inputs.senderWithPassword)
		.mutation(({ ctx, input }) => service.setPassword(ctx.app, input))
});
