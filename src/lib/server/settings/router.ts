import { nothing } from '../core/inputs.ts';
import { reader, router, writer } from '../core/trpc.ts';
import * as inputs from './inputs.ts';
import * as service from './service.ts';

export const settingsRouter = router({
	get: reader
		.input(nothing)
		.output(inputs.settingsItem)
		.query(({ ctx }) => service.getSettings(ctx.app.db)),
	update: writer(inputs.updateSettings)
		.output(inputs.settingsItem)
		.mutation(({ ctx, input }) => service.update(ctx.app, input))
});
