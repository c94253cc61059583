import { TRPCError } from '@trpc/server';
import { z } from 'zod';
import { EnvError } from '../lib/server/core/env.ts';
import { UserError } from '../lib/server/core/errors.ts';
import { MigrationError } from '../lib/server/core/migrations.ts';
import { SealError } from '../lib/server/core/secret.ts';
import { exit } from './command.ts';
import type { Exit } from './command.ts';

/**
 * What a person is told about an error, and the exit code. Null for a bug: its message may hold anything and goes, by
 * its code only, to the log.
 */
export function explain(error: unknown): { text: string; code: Exit } | null {
	const cause = error instanceof TRPCError ? error.cause : error;
	if (cause instanceof z.ZodError) return { text: fieldsOf(cause), code: exit.wrongInput };
	if (cause instanceof UserError) return { text: cause.message, code: codeOf(cause) };
	if (cause instanceof EnvError || cause instanceof MigrationError || cause instanceof SealError)
		return { text: cause.message, code: exit.wrongInput };
	return null;
}

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
