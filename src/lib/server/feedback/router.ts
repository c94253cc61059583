import { nothing } from '../core/inputs.ts';
import { reader, router, writer } from '../core/trpc.ts';
import { countFeedback } from './counts.ts';
import * as inputs from './inputs.ts';
import { listFeedback } from './list.ts';
import { parseReport } from './parse.ts';
import { getFeedbackState } from './state.ts';

export const feedbackRouter = router({
	list: reader
		.input(inputs.listFeedback)
		.output(inputs.feedbackPage)
		.query(({ ctx, input }) => listFeedback(ctx.app, input)),
	counts: reader
		.input(inputs.countFeedback)
		.output(inputs.feedbackCountsAnswer)
		.query(({ ctx, input }) => countFeedback(ctx.app, input)),
	state: reader
		.input(nothing)
		.output(inputs.feedbackState)
		.query(({ ctx }) => getFeedbackState(ctx.app)),
	// A mutation only because a report is too long for an address: it changes nothing.
	parse: writer(inputs.parseReport)
		.output(inputs.parsedReport)
		.mutation(({ input }) => parseReport(input.text))
});
