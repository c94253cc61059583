import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { id, json, moment, version } from '../core/columns.ts';
import type { ApplyStep } from './steps.ts';

export const revisions = sqliteTable('revisions', {
	/** max(database, directories) + 1; never reused. */
	number: integer('number').primaryKey(),
	hash: text('hash').notNull(),
	/** Directory name under `revisions/`: `<number>-<hash12>`; empty for revision 0, the operator's own policy. */
	directory: text('directory').notNull(),
	actor: text('actor').notNull(),
	actorName: text('actor_name').notNull(),
	reason: text('reason'),
	createdAt: moment('created_at').notNull(),
	appliedAt: moment('applied_at'),
	changeCount: integer('change_count').notNull(),
	bytes: integer('bytes').notNull(),
	/** When retention took its files, written before they go; the row stays as long as the records of applies. */
	removedAt: moment('removed_at'),
	removedBecause: text('removed_because', { enum: ['count', 'age', 'bytes'] })
});

export const applies = sqliteTable(
	'applies',
	{
		id: id(),
		revision: integer('revision'),
		hash: text('hash').notNull(),
		previousRevision: integer('previous_revision'),
		actor: text('actor').notNull(),
		actorName: text('actor_name').notNull(),
		reason: text('reason'),
		startedAt: moment('started_at').notNull(),
		finishedAt: moment('finished_at'),
		outcome: text('outcome', {
			enum: ['running', 'applied', 'unchanged', 'refused', 'failed', 'reverted', 'interrupted']
		}).notNull(),
		steps: json<ApplyStep[]>('steps').notNull(),
		/** What was measured while the apply was watched: a report that zod parses. */
		watch: json<unknown>('watch'),
		/** Until then somebody has to confirm this apply, or it is taken back. */
		confirmUntilAt: moment('confirm_until_at')
	},
	(table) => [index('applies_started').on(table.startedAt), index('applies_outcome').on(table.outcome)]
);

/** A simulation saved with the answer it must go on having: every apply runs them all. */
export const goldenRoutes = sqliteTable('golden_routes', {
	id: id(),
	name: text('name').notNull().unique(),
	/** What is simulated; zod parses it. */
	request: json<unknown>('request').notNull(),
	/** What of the answer must stay; zod parses it. */
	expectation: json<unknown>('expectation').notNull(),
	createdAt: moment('created_at').notNull(),
	updatedAt: moment('updated_at').notNull(),
	version: version()
});

/** One counter per feature, raised by triggers: whether anything changed since the last render costs one look. */
export const changeMarks = sqliteTable('change_marks', {
	feature: text('feature').primaryKey(),
	counter: integer('counter').notNull()
});
