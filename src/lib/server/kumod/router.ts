import { nothing } from '../core/inputs.ts';
import { reader, router } from '../core/trpc.ts';
import { statusAnswer } from './inputs.ts';
import { getStatus } from './status.ts';

export const kumodRouter = router({
	status: reader
		.input(nothing)
		.output(statusAnswer)
		.query(({ ctx }) => getStatus(ctx.app))
});
