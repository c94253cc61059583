import { nothing, removeById, removed } from '../core/inputs.ts';
import { reader, router, writer } from '../core/trpc.ts';
import * as inputs from './inputs.ts';
import * as service from './service.ts';

export const sourcesRouter = router({
	list: reader
		.input(inputs.listSources)
		.output(inputs.sourcePage)
		.query(({ ctx, input }) => service.listSources(ctx.app, input)),
	create: writer(inputs.createSource)
		.output(inputs.createdSource)
		.mutation(({ ctx, input }) => service.createSource(ctx.app, input)),
	update: writer(inputs.updateSource)
		.output(inputs.sourceItem)
		.mutation(({ ctx, input }) => service.updateSource(ctx.app, input)),
	remove: writer(removeById)
		.output(removed)
		.mutation(({ ctx, input }) => service.removeSource(ctx.app, input)),
	detect: reader
		.input(nothing)
		.output(inputs.detectedAddresses)
		.query(({ ctx }) => service.detectAddresses(ctx.app))
});
