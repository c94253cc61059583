import { initTRPC, TRPCError } from '@trpc/server';
import { z } from 'zod';
import type { App } from '../app.ts';
import { isDiskFull, UserError } from './errors.ts';
import { DatabaseUnreachable } from './open-client.ts';

/** Who calls: a signed-in user, the command line (`cli:<uid>`), a job (`job:<name>`) or nobody yet. */
export interface Caller {
	actor: string;
	name: string;
	userId: string | null;
	sessionId: string | null;
}

export interface AuditStart {
	caller: Caller;
	action: string;
	target: string | null;
	address: string | null;
	requestId: string;
	outcome: string;
	reason: string | null;
	input: unknown;
}

/** What the builders need from the features that keep sessions and the audit log; the router hands it in. */
export interface Gate {
	/** The session a bearer token belongs to, or null: unknown, expired and revoked are the same. */
	findCaller(token: string): Promise<Caller | null>;
	/** Null: a stranger's call that is not written down, because a flood of them from there already is. */
	startAudit(entry: AuditStart): Promise<number | null>;
	/** Writes down, after all, what a stranger brought about. */
	startAuditAlways(entry: AuditStart): Promise<number>;
	finishAudit(
		id: number,
		end: { outcome: string; reason: string | null; target: string | null; caller?: Caller | undefined }
	): Promise<void>;
	/** Records a call that was turned away, bounded per address, so that a flood does not become a full disk. */
	auditDenied(entry: AuditStart): Promise<void>;
}

export interface Context {
	app: App;
	gate: Gate;
	requestId: string;
	address: string | null;
	userAgent: string;
	token: string | null;
	/** Set for callers inside the process (command line, jobs): no token, no budget, the same rules and audit. */
	local: Caller | null;
}

export interface Meta {
	/** Open to callers without a session. The contract test lists every one. */
	open?: true;
}

const t = initTRPC
	.context<Context>()
	.meta<Meta>()
	.create({
		isDev: false,
		errorFormatter: ({ error, shape, ctx }) => ({
			...shape,
			message: publicMessage(error, ctx?.requestId),
			data: {
				code: error.code,
				httpStatus: shape.data.httpStatus,
				...detail(error),
				requestId: ctx?.requestId ?? 'none'
			}
		})
	});

export const router = t.router;

function publicMessage(error: TRPCError, requestId: string | undefined): string {
	if (error.cause instanceof UserError) return error.message;
	if (isBadInput(error)) return 'Some fields are not right. Nothing was saved. Correct them and try again.';
	if (error.code === 'NOT_FOUND') return 'There is no such procedure.';
	if (['METHOD_NOT_SUPPORTED', 'PARSE_ERROR', 'BAD_REQUEST'].includes(error.code))
		return 'The request is not a tRPC call this server understands.';
	if (error.code === 'PAYLOAD_TOO_LARGE') return 'The request is larger than 512 KB. Send it in parts.';
	if (isDiskFull(error))
		return 'The disk of the server is full. What was acknowledged before is safe, and mail flows by what is live. Make room, then look before you try again.';
	if (isDatabaseLost(error))
		return 'The panel’s database does not answer. Whether this call changed anything is not known. When the database is back, reload and look before you try again.';
	return `Something went wrong on the server. Look for request ${requestId ?? 'none'} in the server's log.`;
}

/** The machine-readable part of an error, as api.md names it. */
function detail(error: TRPCError): {
	reason?: string;
	fieldErrors?: Record<string, string[]>;
	retryAfterMs?: number;
	problems?: unknown[];
} {
	if (isBadInput(error)) return { fieldErrors: fieldErrorsOf(error.cause) };
	if (isDatabaseLost(error)) return { reason: 'database-unreachable' };
	if (isDiskFull(error)) return { reason: 'disk-full' };
	if (!(error.cause instanceof UserError)) return {};
	const { reason, retryAfterMs, problems } = error.cause.detail;
	return { reason, fieldErrors: error.cause.fieldErrors, retryAfterMs, problems };
}

function isDatabaseLost(error: TRPCError): boolean {
	for (let each: unknown = error.cause; each instanceof Error; each = each.cause)
		if (each instanceof DatabaseUnreachable) return true;
	return false;
}

/** Only what the caller sent is the caller's to correct: an answer or a stored row that does not parse is a bug here. */
function isBadInput(error: TRPCError): error is TRPCError & { cause: z.ZodError } {
	return error.code === 'BAD_REQUEST' && error.cause instanceof z.ZodError;
}

function fieldErrorsOf(error: z.ZodError): Record<string, string[]> {
	const fields = Object.create(null) as Record<string, string[]>;
	for (const issue of error.issues) (fields[issue.path.join('.')] ??= []).push(fieldMessage(issue));
	return fields;
}

/** zod repeats the names of unknown fields: only what looks like one goes back. */
function fieldMessage(issue: z.core.$ZodIssue): string {
	if (issue.code !== 'unrecognized_keys') return issue.message;
	const names = issue.keys.filter((key) => /^[A-Za-z][A-Za-z0-9]{0,39}$/.test(key)).slice(0, 10);
	return names.length === 0 ? 'A field is not known here. Leave it out.' : `Not known here: ${names.join(', ')}.`;
}

/** A UserError thrown anywhere below leaves with its own code; anything else stays a bug with a reference number. */
const translated = t.middleware(async ({ ctx, path, next }) => {
	const result = await next();
	if (result.ok) return result;
	const cause = result.error.cause;
	if (cause instanceof UserError) throw new TRPCError({ code: cause.code, message: cause.message, cause });
	if (result.error.code === 'INTERNAL_SERVER_ERROR')
		ctx.app.log.error('procedure failed', { path, requestId: ctx.requestId, error: cause ?? result.error });
	return result;
});

const nobody: Caller = { actor: 'anonymous', name: 'anonymous', userId: null, sessionId: null };

function unauthorized(): UserError {
	return new UserError(
		'UNAUTHORIZED',
		'You are not signed in, or the session has ended. Nothing was changed. Sign in again.',
		{ reason: 'not-signed-in' }
	);
}

/** Closed unless the token belongs to a live session; then within that session's budget. */
const signedIn = t.middleware(async ({ ctx, path, type, next }) => {
	if (ctx.local !== null) return next({ ctx: { ...ctx, caller: ctx.local } });
	const caller = ctx.token === null ? null : await ctx.gate.findCaller(ctx.token);
	if (caller === null) {
		if (type === 'mutation') await turnedAway(ctx, nobody, path, { outcome: 'UNAUTHORIZED', reason: 'not-signed-in' });
		throw unauthorized();
	}
	const retryAfterMs = ctx.app.budget.spend(
		caller.sessionId ?? caller.actor,
		type === 'mutation' ? 'mutation' : 'query'
	);
	if (retryAfterMs > 0) {
		if (type === 'mutation')
			await turnedAway(ctx, caller, path, { outcome: 'TOO_MANY_REQUESTS', reason: 'budget-spent' });
		throw new UserError(
			'TOO_MANY_REQUESTS',
			'This session called more often than its budget allows. Nothing was changed. Wait a moment and try again.',
			{
				reason: 'budget-spent',
				retryAfterMs
			}
		);
	}
	return next({ ctx: { ...ctx, caller } });
});

function turnedAway(
	ctx: Context,
	caller: Caller,
	action: string,
	{ outcome, reason }: { outcome: string; reason: string }
): Promise<void> {
	return ctx.gate.auditDenied({ ...whence(ctx, caller, action), target: null, outcome, reason, input: null });
}

const anybody = t.middleware(({ ctx, next }) => next({ ctx: { ...ctx, caller: ctx.local ?? nobody } }));

function whence(ctx: Context, caller: Caller, action: string) {
	return { caller, action, address: ctx.address, requestId: ctx.requestId };
}

/**
 * Writes the audit row before the work and its end after it, so that a crash leaves an open row. The input is kept as the
 * schema parsed it: secrets are `Secret` by then and print as `[secret]`.
 */
function audited(schema: z.ZodType) {
	return t.middleware(async ({ ctx, path, rawInput, next }) => {
		const caller = (ctx as Context & { caller: Caller }).caller;
		const parsed = await schema.safeParseAsync(rawInput);
		const input: unknown = parsed.success
			? (parsed.data ?? null)
			: {
					rejectedFields: [
						...new Set(parsed.error.issues.map(({ path: field }) => field.join('.').slice(0, 200)))
					].slice(0, 20)
				};
		const start = { ...whence(ctx, caller, path), target: idIn(input), outcome: 'started', reason: null, input };
		const entry = await ctx.gate.startAudit(start);
		const result = await next();
		if (result.ok)
			await ctx.gate.finishAudit(entry ?? (await ctx.gate.startAuditAlways(start)), {
				outcome: 'ok',
				reason: null,
				target: idIn(result.data) ?? idIn(input),
				caller: callerIn(result.data)
			});
		else if (entry !== null) {
			const cause = result.error.cause;
			const outcome = cause instanceof UserError ? cause.code : result.error.code;
			await ctx.gate.finishAudit(entry, {
				outcome,
				reason: cause instanceof UserError ? (cause.detail.reason ?? null) : null,
				target: idIn(input)
			});
		}
		return result;
	});
}

function idIn(value: unknown): string | null {
	if (typeof value !== 'object' || value === null) return null;
	const { id, applyId } = value as { id?: unknown; applyId?: unknown };
	return typeof id === 'string' ? id : typeof applyId === 'string' ? applyId : null;
}

/** A login answers who it was: its audit row then names the user instead of `anonymous`. */
function callerIn(data: unknown): Caller | undefined {
	const user =
		typeof data === 'object' && data !== null ? (data as { user?: { id?: unknown; email?: unknown } }).user : undefined;
	return typeof user?.id === 'string' && typeof user.email === 'string'
		? { actor: user.id, name: user.email, userId: user.id, sessionId: null }
		: undefined;
}

/** A query for everybody. */
export const openReader = t.procedure.meta({ open: true }).use(translated).use(anybody);

/** A query for a signed-in caller. */
export const reader = t.procedure.use(translated).use(signedIn);

/** A mutation for everybody (setup, login): audited all the same. */
export function openWriter<Input extends z.ZodType>(schema: Input) {
	return t.procedure.meta({ open: true }).use(translated).use(anybody).use(audited(schema)).input(schema);
}

/** A mutation for a signed-in caller: within the budget, parsed, audited before and after. */
export function writer<Input extends z.ZodType>(schema: Input) {
	return t.procedure.use(translated).use(signedIn).use(audited(schema)).input(schema);
}
