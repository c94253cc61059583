import { z } from 'zod';
import { itemId, line } from '../core/inputs.ts';
import { listInput, pageOf } from '../core/paging.ts';
import { stepNames } from '../../shared/apply-steps.ts';
import { routeName } from './routes/inputs.ts';
import { watchReport } from './watch-report.ts';

const hash = z.string().regex(/^[0-9a-f]{64}$/, 'This is not a SHA-256 in lower-case hex.');
const number = z.int().min(0);

const wishes = {
	reason: line(500).optional(),
	takeOver: hash.optional(),
	overwriteDrift: z.boolean().optional(),
	dropping: z.array(itemId).max(1000).optional(),
	/** Names of golden routes that may be broken. */
	overridingRoutes: z.array(routeName).max(500).optional()
};

export const applyPolicy = z.strictObject({ expectedHash: hash, ...wishes });
export const restore = z.strictObject({ number, ...wishes });
export const byApplyId = z.strictObject({ applyId: itemId });
export const endWatch = z.strictObject({
	applyId: itemId,
	/** Takes it back at once instead of keeping it. */
	takeBack: z.boolean().optional()
});
export const wishAnswer = z.object({ applyId: z.string() });
export const byNumber = z.strictObject({ number });
export const listRevisions = z.strictObject(listInput(['number'])).default({ limit: 50 });
export const drift = z.object({
	path: z.string(),
	/** `access`: the bytes are right, mode or owner are not. */
	what: z.enum(['changed', 'missing', 'access']),
	/** An apply refuses until it is told to overwrite. */
	needsOverwrite: z.boolean()
});
const problem = z.object({
	severity: z.enum(['error', 'warning']),
	scope: z.enum(['node', 'source', 'pool', 'domain', 'sender', 'bounce-account']),
	id: z.string().optional(),
	subject: z.string().optional(),
	field: z.string().optional(),
	code: z.string(),
	message: z.string(),
	blocks: z.boolean()
});
const problemCounts = z.object({ errors: z.int(), warnings: z.int(), blocking: z.int() });
const changeCounts = z.object({ added: z.int(), removed: z.int(), changed: z.int(), total: z.int() });
const file = z.object({ path: z.string(), bytes: z.int(), sha256: z.string(), content: z.string().nullable() });
const outcome = z.enum(['running', 'applied', 'unchanged', 'refused', 'failed', 'reverted', 'interrupted']);
const step = z.object({
	name: z.enum([...stepNames, 'revert']),
	status: z.enum(['ok', 'failed', 'skipped', 'running']),
	durationMs: z.int(),
	output: z.string(),
	refusal: z.object({ reason: z.string(), problems: z.array(z.unknown()) }).optional()
});

export const statusAnswer = z.object({
	liveRevision: z.int().nullable(),
	liveHash: z.string().nullable(),
	liveAppliedAt: z.int().nullable(),
	/** Null while it is being computed, or when the settings cannot be read. */
	pendingHash: z.string().nullable(),
	dirty: z.boolean(),
	/** How many differences an apply would make live. */
	changes: z.int(),
	problems: problemCounts.nullable(),
	drift: z.array(drift),
	/** A live policy that the panel did not write; `mayReplace`: it is KumoMTA's own sample. */
	foreign: z.object({ sha256: z.string(), mayReplace: z.boolean() }).nullable(),
	/** The apply that runs now. */
	runningApplyId: z.string().nullable(),
	/** The apply that is live and being watched, or waits to be confirmed. */
	watching: z
		.object({
			applyId: z.string(),
			/** `putting-back`: it should have gone and could not be put back yet. */
			phase: z.enum(['epoch', 'watching', 'confirming', 'putting-back']),
			untilAt: z.int().nullable(),
			/** Until then it has to be confirmed, or it is taken back; null: it need not be. */
			confirmUntilAt: z.int().nullable()
		})
		.nullable(),
	kumomta: z.object({ isInstalled: z.boolean(), root: z.string() }),
	computing: z.boolean().optional()
});

export const previewAnswer = z.object({
	hash: z.string(),
	files: z.array(file),
	/** The most urgent 500; `problemCounts` counts all. */
	problems: z.array(problem),
	problemCounts,
	changes: changeCounts,
	/** What KumoMTA reads at start only changes: it is restarted. */
	needsRestart: z.boolean()
});

export const applyAnswer = z.object({
	applyId: z.string(),
	revision: z.int().nullable(),
	outcome,
	steps: z.array(step)
});

export const progressAnswer = z.object({
	...applyAnswer.shape,
	hash: z.string(),
	previousRevision: z.int().nullable(),
	actor: z.string(),
	actorName: z.string(),
	reason: z.string().nullable(),
	startedAt: z.int(),
	finishedAt: z.int().nullable(),
	/** What was seen while it was watched; null: it was not. */
	watch: watchReport.nullable(),
	/** Until then it had to be confirmed; null: it need not be, or it is. */
	confirmUntilAt: z.int().nullable(),
	confirmedBy: z.string().nullable()
});

const revisionItem = z.object({
	number: z.int(),
	hash: z.string(),
	actor: z.string(),
	actorName: z.string(),
	reason: z.string().nullable(),
	createdAt: z.int(),
	/** Null: it never went live. */
	appliedAt: z.int().nullable(),
	changeCount: z.int(),
	bytes: z.int(),
	isLive: z.boolean(),
	/** Of the last apply that tried it; null where no record is left. */
	outcome: outcome.nullable(),
	/** Its files are still there. */
	canRestore: z.boolean(),
	/** Why its files are kept, or what took them. */
	retention: z.object({
		state: z.enum(['kept', 'removed']),
		because: z.enum([
			'live',
			'previous',
			'newest',
			'limits',
			'count',
			'age',
			'bytes',
			'operators-own',
			'never-live',
			'files-missing'
		]),
		/** When they went, or the latest moment that their age allows; null: no date. */
		at: z.int().nullable(),
		text: z.string()
	})
});
export const revisionsPage = pageOf(revisionItem);
export const revisionAnswer = z.object({
	...revisionItem.shape,
	files: z.array(file),
	/** Every try to make it live, the last one first. */
	applies: z.array(progressAnswer)
});
