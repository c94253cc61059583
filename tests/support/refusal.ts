import { TRPCError } from '@trpc/server';
import { z } from 'zod';
import { UserError } from '../../src/lib/server/core/errors.ts';

export interface Refusal {
	code: string;
	reason: string | undefined;
	message: string;
	fieldErrors: Record<string, string[]>;
}

/** How a call was refused, as a client would see it. Fails when it was not, or when it failed by a bug. */
export async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
	const error = await call.then(
		() => new Error('The call was not refused.'),
		(thrown: unknown) => (thrown instanceof Error ? thrown : new Error('Something was thrown that is no error.'))
	);
	const cause = error instanceof TRPCError ? error.cause : error;
	if (cause instanceof UserError) {
		return {
			code: cause.code,
			reason: cause.detail.reason,
			message: cause.message,
			fieldErrors: cause.fieldErrors ?? {}
		};
	}
	if (!(cause instanceof z.ZodError) || !(error instanceof TRPCError) || error.code !== 'BAD_REQUEST') throw error;
	const fieldErrors: Record<string, string[]> = {};
	for (const issue of cause.issues) (fieldErrors[issue.path.join('.')] ??= []).push(issue.message);
	return { code: error.code, reason: undefined, message: '', fieldErrors };
}
