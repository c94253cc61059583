import { z } from 'zod';
import type { ApplyStep } from '../steps.ts';
import { stepNames } from '../../../shared/apply-steps.ts';
import { watchReport } from '../watch-report.ts';
import { hash256, requestRef, revisionName } from './request.ts';

/** What the applier answers: files of root that everybody may read, so no secret is ever in one. */

const step = z.object({
	name: z.enum([...stepNames, 'revert']),
	status: z.enum(['ok', 'failed', 'skipped', 'running']),
	durationMs: z.number(),
	output: z.string(),
	refusal: z.object({ reason: z.string(), problems: z.array(z.unknown()) }).optional()
}) satisfies z.ZodType<ApplyStep>;

const refusal = z.object({
	code: z.enum(['BAD_REQUEST', 'NOT_FOUND', 'CONFLICT', 'PRECONDITION_FAILED', 'PAYLOAD_TOO_LARGE']),
	message: z.string(),
	reason: z.string().nullable(),
	problems: z.array(z.unknown())
});
export type Refusal = z.infer<typeof refusal>;

/** `answers/<ref>.json`: of an apply while it runs and after it, of anything else when it is done. */
export const answer = z.object({
	format: z.literal(1),
	ref: requestRef,
	kind: z.string(),
	by: z.string(),
	outcome: z.enum(['running', 'done', 'applied', 'unchanged', 'refused', 'failed', 'reverted', 'interrupted']),
	/** Of the revision that goes live. */
	revision: z.int().nullable(),
	directory: z.string(),
	previousRevision: z.int().nullable(),
	startedAt: z.int(),
	changedAt: z.int(),
	steps: z.array(step),
	report: watchReport.nullable(),
	confirmUntilAt: z.int().nullable(),
	/** What was decided over it while it was watched. */
	decided: z.object({
		end: z.object({ by: z.string(), at: z.int(), takeBack: z.boolean() }).optional(),
		confirmed: z.object({ by: z.string(), at: z.int() }).optional()
	}),
	refusal: refusal.nullable(),
	/** An apply that runs on has no process any more: what is still owed is tried by later ones. */
	isLeft: z.boolean()
});
export type Answer = z.infer<typeof answer>;

const tlsFacts = z.object({
	readable: z.boolean(),
	keyMatches: z.boolean(),
	notAfterAt: z.number(),
	names: z.array(z.string())
});

const placed = z.object({ id: z.string(), baseId: z.string(), at: z.int() }).nullable();

/** `state.json`: how things stand where the panel may not look. */
export const applierState = z.object({
	format: z.literal(1),
	at: z.int(),
	/** The highest request that was taken: an older one is refused. */
	lastNumber: z.int(),
	live: z.discriminatedUnion('kind', [
		z.object({ kind: z.literal('absent') }),
		z.object({ kind: z.enum(['ours', 'edited']), revision: revisionName, number: z.int() }),
		/** `shown`: one character a byte; of a foreign one, what looks like a secret is taken out. */
		z.object({ kind: z.enum(['packaged', 'foreign']), shown: z.string(), sha256: hash256 })
	]),
	/** What was live before. */
	previous: z.union([revisionName, z.object({ sha256: hash256 })]).nullable(),
	/** The policy from before the panel, where it is kept. */
	kept: z.object({ shown: z.string(), sha256: hash256 }).nullable(),
	/** The highest number that a revision on disk has. */
	highest: z.int(),
	/** The operator's own Lua in base64; null: there is none; a refusal: it may not be used. */
	custom: z.union([z.object({ base64: z.string() }), refusal]).nullable(),
	drift: z.array(
		z.object({ path: z.string(), what: z.enum(['changed', 'missing', 'access']), needsOverwrite: z.boolean() })
	),
	/** By the name of the directory. */
	tls: z.record(z.string(), tlsFacts),
	suppression: z.object({ base: placed, delta: placed })
});
export type ApplierState = z.infer<typeof applierState>;

export const answersDirectory = 'answers';
export const stateFile = 'state.json';
/** Bytes that either side reads of such a file at most. */
export const answerBytes = 32 * 1024 ** 2;
