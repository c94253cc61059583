import { removeById, removed } from '../../core/inputs.ts';
import { reader, router, writer } from '../../core/trpc.ts';
import * as inputs from './inputs.ts';
import * as service from './service.ts';

export const routesRouter = router({
	list: reader
		.input(inputs.listRoutes)
		.output(inputs.routesPage)
		.query(({ ctx, input }) => service.listRoutes(ctx.app.db, input)),
	create: writer(inputs.createRoute)
		.output(inputs.routeItem)
		.mutation(({ ctx, input }) => service.createRoute(ctx.app, input)),
	update: writer(inputs.updateRoute)
		.output(inputs.routeItem)
		.mutation(({ ctx, input }) => service.updateRoute(ctx.app, input)),
	remove: writer(removeById)
		.output(removed)
		.mutation(({ ctx, input }) => service.removeRoute(ctx.app, input)),
	check: reader
		.input(inputs.checkRoutes)
		.output(inputs.checkAnswer)
		.query(({ ctx, input }) => service.checkRoutes(ctx.app, input))
});
