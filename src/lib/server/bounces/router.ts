import { removeById, removed } from '../core/inputs.ts';
import { reader, router, writer } from '../core/trpc.ts';
import * as inputs from './inputs.ts';
import * as service from './service.ts';

export const bouncesRouter = router({
	list: reader
		.input(inputs.listBounces)
		.output(inputs.bouncePage)
		.query(({ ctx, input }) => service.listBounces(ctx.app.db, input)),
	create: writer(inputs.createBounce)
		.output(inputs.bounceWithPassword)
		.mutation(({ ctx, input }) => service.createBounce(ctx.app, input)),
	update: writer(inputs.updateBounce)
		.output(inputs.bounceItem)
		.mutation(({ ctx, input }) => service.updateBounce(ctx.app, input)),
	remove: writer(removeById)
		.output(removed)
		.mutation(({ ctx, input }) => service.removeBounce(ctx.app, input)),
	setPassword: writer(inputs.setPassword)
		.output(inputs.bounceWithPassword)
		.mutation(({ ctx, input }) => service.setPassword(ctx.app, input))
});
