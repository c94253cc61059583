import { nothing } from '../core/inputs.ts';
import { reader, router, writer } from '../core/trpc.ts';
import * as inputs from './inputs.ts';
import { listHealth, runHealth } from './service.ts';

export const healthRouter = router({
	list: reader
		.input(nothing)
		.output(inputs.healthAnswer)
		.query(({ ctx }) => listHealth(ctx.app.db)),
	run: writer(inputs.runHealth)
		.output(inputs.healthAnswer)
		.mutation(({ ctx, input }) => runHealth(ctx.app, input?.only))
});
