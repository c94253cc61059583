import { byId, nothing, removeById, removed } from '../core/inputs.ts';
import { reader, router, writer } from '../core/trpc.ts';
import { exportSuppressions } from './export.ts';
import { getFilesState, requestRebuild } from './files-state.ts';
import * as inputs from './inputs.ts';
import { listSuppressions } from './list.ts';
import * as rules from './rules.ts';
import * as service from './service.ts';

export const suppressionRouter = router({
	list: reader
		.input(inputs.listSuppressions)
		.output(inputs.suppressionPage)
		.query(({ ctx, input }) => listSuppressions(ctx.app.db, input)),
	get: reader
		.input(byId)
		.output(inputs.suppressionItem)
		.query(({ ctx, input }) => service.getSuppression(ctx.app.db, input.id)),
	check: reader
		.input(inputs.checkSuppression)
		.output(inputs.checked)
		.query(({ ctx, input }) => service.checkSuppression(ctx.app, input)),
	add: writer(inputs.addSuppression)
		.output(inputs.suppressionItem)
		.mutation(({ ctx, input }) => service.addSuppression(ctx.app, ctx.caller, input)),
	remove: writer(removeById)
		.output(removed)
		.mutation(({ ctx, input }) => service.removeSuppression(ctx.app, input)),
	bulk: writer(inputs.bulkSuppressions)
		.output(inputs.bulkResult)
		.mutation(({ ctx, input }) => service.changeMany(ctx.app, ctx.caller, input)),
	export: reader
		.input(inputs.exportSuppressions)
		.output(inputs.exported)
		.query(({ ctx, input }) => exportSuppressions(ctx.app.db, input)),
	state: reader
		.input(nothing)
		.output(inputs.filesState)
		.query(({ ctx }) => getFilesState(ctx.app)),
	rebuild: writer(nothing)
		.output(inputs.filesState)
		.mutation(({ ctx }) => requestRebuild(ctx.app)),
	rules: router({
		get: reader
			.input(nothing)
			.output(inputs.rulesItem)
			.query(({ ctx }) => rules.getRules(ctx.app.db)),
		update: writer(inputs.updateRules)
			.output(inputs.rulesItem)
			.mutation(({ ctx, input }) => rules.updateRules(ctx.app, input))
	})
});
