import { sql } from 'drizzle-orm';
import { check, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { json, moment } from '../core/columns.ts';
import type { Mend } from './check.ts';

/** What each check of the server found last: one row a check, written over at each run. */
export const healthResults = sqliteTable(
	'health_results',
	{
		/** The check's own id, as in `checks.ts`. */
		id: text('id').primaryKey(),
		outcome: text('outcome', { enum: ['failed', 'warning', 'unknown', 'ok'] }).notNull(),
		found: text('found').notNull(),
		details: json<string[]>('details').notNull(),
		mend: json<Mend>('mend'),
		checkedAt: moment('checked_at').notNull(),
		/** Since when the outcome has been this one. */
		sinceAt: moment('since_at').notNull(),
		/** A run of root sees files that are closed to the panel: its findings outlive what the panel cannot see. */
		rights: text('rights', { enum: ['root', 'panel'] }).notNull()
	},
	(table) => [
		check('health_results_outcome', sql`${table.outcome} in ('failed', 'warning', 'unknown', 'ok')`),
		check('health_results_rights', sql`${table.rights} in ('root', 'panel')`)
	]
);
