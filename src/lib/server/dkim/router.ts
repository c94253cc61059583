import { removed } from '../core/inputs.ts';
import { reader, router, writer } from '../core/trpc.ts';
import * as inputs from './inputs.ts';
import * as service from './service.ts';

export const dkimRouter = router({
	list: reader
		.input(inputs.listKeys)
		.output(inputs.keyPage)
		.query(({ ctx, input }) => service.listKeys(ctx.app, input)),
	generate: writer(inputs.generateKey)
		.output(inputs.keyItem)
		.mutation(({ ctx, input }) => service.generateKey(ctx.app, input)),
	import: writer(inputs.importKey)
		.output(inputs.keyItem)
		.mutation(({ ctx, input }) => service.importKey(ctx.app, input)),
	activate: writer(inputs.changeKey)
		.output(inputs.keyItem)
		.mutation(({ ctx, input }) => service.activateKey(ctx.app, input)),
	retire: writer(inputs.changeKey)
		.output(inputs.keyItem)
		.mutation(({ ctx, input }) => service.retireKey(ctx.app, input)),
	remove: writer(inputs.removeKey)
		.output(removed)
		.mutation(({ ctx, input }) => service.removeKey(ctx.app, input))
});
