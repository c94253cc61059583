import { nothing } from '../core/inputs.ts';
import { reader, router, writer } from '../core/trpc.ts';
import { applyPending, restoreRevision } from './apply.ts';
import { driftFile, listDrift } from './drift-detail.ts';
import * as driftInputs from './drift-inputs.ts';
import { foreignAnswer } from './foreign-inputs.ts';
import { explainForeign } from './foreign.ts';
import { getRevision, listRevisions } from './history.ts';
import * as inputs from './inputs.ts';
import { routesRouter } from './routes/router.ts';
import { restoreKept, revertApply } from './revert.ts';
import * as review from './review.ts';
import * as reviewInputs from './review-inputs.ts';
import * as service from './service.ts';
import { confirmApply, endWatch } from './watch-wishes.ts';
import { simulateAnswer, simulate as simulateInput } from './simulate/inputs.ts';
import { simulate } from './simulate/service.ts';

export const policyRouter = router({
	status: reader
		.input(nothing)
		.output(inputs.statusAnswer)
		.query(({ ctx }) => service.getStatus(ctx.app)),
	preview: reader
		.input(nothing)
		.output(inputs.previewAnswer)
		.query(({ ctx }) => service.getPreview(ctx.app)),
	changes: reader
		.input(reviewInputs.listChanges)
		.output(reviewInputs.changesAnswer)
		.query(({ ctx, input }) => review.listChanges(ctx.app, input)),
	changeGroups: reader
		.input(reviewInputs.changeGroups)
		.output(reviewInputs.changeGroupsAnswer)
		.query(({ ctx, input }) => review.groupChanges(ctx.app, input)),
	effects: reader
		.input(reviewInputs.effects)
		.output(reviewInputs.effectsAnswer)
		.query(({ ctx, input }) => review.getEffects(ctx.app, input)),
	fileChanges: reader
		.input(reviewInputs.fileChanges)
		.output(reviewInputs.fileChangesAnswer)
		.query(({ ctx, input }) => review.fileChanges(ctx.app, input)),
	fileSummary: reader
		.input(reviewInputs.fileSummary)
		.output(reviewInputs.fileSummaryAnswer)
		.query(({ ctx, input }) => review.summarizeFiles(ctx.app, input)),
	drift: reader
		.input(nothing)
		.output(driftInputs.driftAnswer)
		.query(({ ctx }) => listDrift(ctx.app)),
	driftFile: reader
		.input(driftInputs.driftFile)
		.output(driftInputs.driftFileAnswer)
		.query(({ ctx, input }) => driftFile(ctx.app, input)),
	foreign: reader
		.input(nothing)
		.output(foreignAnswer)
		.query(({ ctx }) => explainForeign(ctx.app)),
	apply: writer(inputs.applyPolicy)
		.output(inputs.applyAnswer)
		.mutation(({ ctx, input }) => applyPending(ctx.app, ctx.caller, input)),
	progress: reader
		.input(inputs.byApplyId)
		.output(inputs.progressAnswer)
		.query(({ ctx, input }) => service.getProgress(ctx.app, input)),
	revert: writer(inputs.byApplyId)
		.output(inputs.applyAnswer)
		.mutation(({ ctx, input }) => revertApply(ctx.app, ctx.caller, input)),
	endWatch: writer(inputs.endWatch)
		.output(inputs.wishAnswer)
		.mutation(({ ctx, input }) => endWatch(ctx.app, ctx.caller, input)),
	confirm: writer(inputs.byApplyId)
		.output(inputs.wishAnswer)
		.mutation(({ ctx, input }) => confirmApply(ctx.app, ctx.caller, input)),
	revisions: reader
		.input(inputs.listRevisions)
		.output(inputs.revisionsPage)
		.query(({ ctx, input }) => listRevisions(ctx.app, input)),
	revision: reader
		.input(inputs.byNumber)
		.output(inputs.revisionAnswer)
		.query(({ ctx, input }) => getRevision(ctx.app, input)),
	simulate: reader
		.input(simulateInput)
		.output(simulateAnswer)
		.query(({ ctx, input }) => simulate(ctx.app, input)),
	routes: routesRouter,
	restore: writer(inputs.restore)
		.output(inputs.applyAnswer)
		.mutation(({ ctx, input }) =>
			input.number === 0 ? restoreKept(ctx.app, ctx.caller) : restoreRevision(ctx.app, ctx.caller, input)
		)
});
