import { removeById, removed } from '../core/inputs.ts';
import { reader, router, writer } from '../core/trpc.ts';
import * as inputs from './inputs.ts';
import * as service from './service.ts';

export const poolsRouter = router({
	list: reader
		.input(inputs.listPools)
		.output(inputs.poolPage)
		.query(({ ctx, input }) => service.listPools(ctx.app.db, input)),
	create: writer(inputs.createPool)
		.output(inputs.poolItem)
		.mutation(({ ctx, input }) => service.createPool(ctx.app, input)),
	update: writer(inputs.updatePool)
		.output(inputs.poolItem)
		.mutation(({ ctx, input }) => service.updatePool(ctx.app, input)),
	remove: writer(removeById)
		.output(removed)
		.mutation(({ ctx, input }) => service.removePool(ctx.app, input))
});
