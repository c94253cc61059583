import { z } from 'zod';
import { changeScopes } from './changes.ts';

/** A revision's number, 0 for the operator's own policy, or what an apply would make now. */
const end = z.union([z.int().min(0), z.literal('pending')]);
/** Absent: the live one, and what an apply would make now. */
const ends = { from: end.optional(), to: end.optional() };
/** The files of a revision that are compared. */
export const reviewPaths = [
	'init.lua',
	'node.toml',
	'shaping.toml',
	'custom.lua',
	'program.lua',
	'directory.sqlite'
] as const;
const search = z
	.string()
	.trim()
	.max(100)
	.refine((text) => !text.includes('\0'), 'A search holds no NUL character.')
	.optional();
const filter = {
	scope: z.enum(changeScopes).optional(),
	kind: z.enum(['added', 'removed', 'changed']).optional(),
	search,
	cursor: z.string().max(1000).optional(),
	limit: z.int().min(1).max(200).default(100)
};

export const listChanges = z
	.strictObject({
		...ends,
		...filter,
		/** A domain's name; null: what belongs to no domain. */
		domain: z.string().max(253).nullable().optional()
	})
	.default({ limit: 100 });
export const changeGroups = z.strictObject({ ...ends, ...filter }).default({ limit: 100 });
export const effects = z.strictObject(ends).default({});
export const fileSummary = z.strictObject(ends).default({});
export const fileChanges = z.strictObject({
	...ends,
	path: z.enum(reviewPaths),
	/** Of directory.sqlite: the one object whose JSON is compared. */
	object: z
		.strictObject({ scope: z.enum(['domain', 'sender', 'bounce-account']), key: z.string().min(1).max(320) })
		.optional(),
	cursor: z.string().max(1000).optional()
});

const counts = { added: z.int(), removed: z.int(), changed: z.int(), total: z.int() };
const change = z.object({
	scope: z.enum(changeScopes),
	kind: z.enum(['added', 'removed', 'changed']),
	id: z.string().optional(),
	subject: z.string(),
	text: z.string(),
	/** The sending domain that it belongs to. */
	domain: z.string().optional(),
	/** What became of each field of something that was changed. */
	fields: z.array(z.object({ name: z.string(), from: z.string(), to: z.string() })).optional()
});
const page = { nextCursor: z.string().nullable(), total: z.int() };
export const changesAnswer = z.object({
	items: z.array(change),
	...page,
	/** Of all differences, whatever is filtered. */
	counts: z.object({ ...counts, scopes: z.array(z.object({ scope: z.enum(changeScopes), ...counts })) })
});
export const changeGroupsAnswer = z.object({
	items: z.array(z.object({ domain: z.string().nullable(), ...counts })),
	...page
});

const listener = z.object({ address: z.string(), port: z.int(), purpose: z.string() });
export const effectsAnswer = z.object({
	refresh: z.enum(['none', 'bump', 'restart']),
	reasons: z.array(z.string()),
	secondBumpAfterSeconds: z.int().nullable(),
	listeners: z.object({
		staying: z.array(listener),
		starting: z.array(listener),
		dropping: z.array(listener)
	}),
	notes: z.array(z.object({ code: z.string(), text: z.string() }))
});

const fileState = z.object({ bytes: z.int(), sha256: z.string() }).nullable();
export const fileChangesAnswer = z.object({
	path: z.string(),
	/** Null on the side where the file is not. */
	was: fileState,
	now: fileState,
	isSame: z.boolean(),
	/** Null where no lines can be shown; `note` says why. */
	lines: z
		.array(
			z.object({
				kind: z.enum(['same', 'removed', 'added', 'gap']),
				was: z.int().nullable(),
				now: z.int().nullable(),
				text: z.string()
			})
		)
		.nullable(),
	note: z.string().nullable(),
	added: z.int(),
	removed: z.int(),
	nextCursor: z.string().nullable()
});

export const fileSummaryAnswer = z.object({
	/** Files that are on either side. */
	files: z.array(
		z.object({
			path: z.enum(reviewPaths),
			/** `name-only`: it differs in the name of its revision alone; `same-data`: other bytes of the same rows. */
			state: z.enum(['same', 'name-only', 'same-data', 'changed', 'added', 'removed']),
			/** Lines of a text; objects of directory.sqlite. Null where nothing was counted. */
			added: z.int().nullable(),
			removed: z.int().nullable(),
			/** Of directory.sqlite alone. */
			changed: z.int().nullable()
		})
	)
});
