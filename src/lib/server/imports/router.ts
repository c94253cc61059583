import { byId, removed } from '../core/inputs.ts';
import { reader, router, writer } from '../core/trpc.ts';
import * as inputs from './inputs.ts';
import * as service from './service.ts';

export const importsRouter = router({
	create: writer(inputs.createImport)
		.output(inputs.importItem)
		.mutation(({ ctx, input }) => service.createImport(ctx.app, ctx.caller, input)),
	append: writer(inputs.appendPart)
		.output(inputs.appended)
		.mutation(({ ctx, input }) => service.appendPart(ctx.app, input)),
	preview: reader
		.input(inputs.previewImport)
		.output(inputs.importPreview)
		.query(({ ctx, input }) => service.previewImport(ctx.app, input)),
	commit: writer(inputs.commitImport)
		.output(inputs.committedImport)
		.mutation(({ ctx, input }) => service.commitImport(ctx.app, input)),
	discard: writer(byId)
		.output(removed)
		.mutation(({ ctx, input }) => service.discardImport(ctx.app, input.id))
});
