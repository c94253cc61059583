import { reader, router } from '../core/trpc.ts';
import * as inputs from './inputs.ts';
import * as service from './service.ts';

export const auditRouter = router({
	list: reader
		.input(inputs.listAudit)
		.output(inputs.auditPage)
		.query(({ ctx, input }) => service.listAudit(ctx.app, input))
});
