import { TRPCError } from '@trpc/server';
import { z } from 'zod';
import { isDiskFull, UserError } from '../lib/server/core/errors.ts';
import { exit } from './command.ts';
import type { Exit } from './command.ts';

/** Errors of the start, told by name so that the help does not load the database: what their messages say is ours. */
const stops = new Set(['EnvError', 'MigrationError', 'SealError']);

/**
 * What a person is told about an error, and the exit code. Null for a bug: its message may hold anything and goes, by
 * its code only, to the log.
 */
export function explain(error: unknown): { text: string; code: Exit } | null {
	const cause = error instanceof TRPCError ? error.cause : error;
	if (cause instanceof z.ZodError) return { text: fieldsOf(cause), code: exit.wrongInput };
	if (cause instanceof UserError) return { text: cause.message, code: codeOf(cause) };
	if (cause instanceof Error && stops.has(cause.name)) return { text: cause.message, code: exit.wrongInput };
	if (isDiskFull(error)) return { text: diskFull, code: exit.checkFailed };
	return null;
}

const diskFull =
	'The disk is full. What was acknowledged before is safe, and mail flows by what is live. Make room, then run the command again.';

/** The state of the policy or of KumoMTA stood in the way, rather than what was typed. */
function codeOf({ code, detail }: UserError): Exit {
	return code === 'PRECONDITION_FAILED' || (code === 'CONFLICT' && detail.reason !== 'pending-moved')
		? exit.checkFailed
		: exit.wrongInput;
}

function fieldsOf(error: z.ZodError): string {
	return error.issues
		.map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`))
		.join('\n');
}
