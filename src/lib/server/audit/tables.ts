import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { json, moment } from '../core/columns.ts';

export const auditEntries = sqliteTable(
	'audit_entries',
	{
		id: integer('id').primaryKey({ autoIncrement: true }),
		at: moment('at').notNull(),
		/** A user's id, `cli:<uid>`, `job:<name>` or `anonymous`; the e-mail beside it survives the account. */
		actor: text('actor').notNull(),
		actorName: text('actor_name').notNull(),
		action: text('action').notNull(),
		target: text('target'),
		address: text('address'),
		requestId: text('request_id').notNull(),
		/** `started` until the call ends; then `ok` or the error's code. An old `started` row is a crash. */
		outcome: text('outcome').notNull(),
		reason: text('reason'),
		input: json<unknown>('input'),
		finishedAt: moment('finished_at')
	},
	(table) => [
		index('audit_entries_action').on(table.action, table.id),
		index('audit_entries_actor').on(table.actor, table.id),
		index('audit_entries_target').on(table.target, table.id),
		index('audit_entries_outcome').on(table.outcome, table.id),
		index('audit_entries_at').on(table.at)
	]
);
