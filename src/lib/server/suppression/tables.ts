import { sql } from 'drizzle-orm';
import { check, index, integer, primaryKey, sqliteTable, text, unique } from 'drizzle-orm/sqlite-core';
import { json, moment, version } from '../core/columns.ts';

export const reasons = ['hard-bounce', 'soft-bounce', 'complaint', 'manual', 'import'] as const;

/**
 * Recipients that get no mail. Triggers note every change of what the files say in `suppression_changes`. Indexes are
 * few and serve a list of ten million: each one that more would be written with every row.
 */
export const suppressions = sqliteTable(
	'suppressions',
	{
		seq: integer('seq').primaryKey({ autoIncrement: true }),
		/** Lower case, domain as A-labels. */
		address: text('address').notNull(),
		/** Id of the sender's domain whose list this is, or empty for the global list. No reference: see `removedScopes`. */
		scope: text('scope').notNull(),
		reason: text('reason', { enum: reasons }).notNull(),
		createdAt: moment('created_at').notNull(),
		/** Null: stays until it is removed. */
		expiresAt: moment('expires_at'),
		/** Evidence: what the last event said, and how many there were. Null where a person decided. */
		class: text('class'),
		code: integer('code'),
		status: text('status'),
		diagnostic: text('diagnostic'),
		count: integer('count').notNull(),
		firstAt: moment('first_at'),
		lastAt: moment('last_at'),
		note: text('note').notNull(),
		/** Who put it there, as the audit log names it. */
		addedBy: text('added_by').notNull(),
		version: version()
	},
	(table) => [
		unique('suppressions_address').on(table.address, table.scope),
		index('suppressions_reason').on(table.reason, table.address, table.scope),
		index('suppressions_scope').on(table.scope, table.reason, table.address),
		index('suppressions_host').on(sql`substr("address", instr("address", '@') + 1)`, table.reason, table.address),
		index('suppressions_created').on(table.createdAt, table.seq),
		index('suppressions_expiry')
			.on(table.expiresAt)
			.where(sql`"expires_at" is not null`),
		check(
			'suppressions_reason_known',
			sql`${table.reason} in ('hard-bounce', 'soft-bounce', 'complaint', 'manual', 'import')`
		)
	]
);

/**
 * What changed and may not stand in the base file yet, the latest change of each address. Numbers are never given twice;
 * rows leave once a base file holds them.
 */
export const suppressionChanges = sqliteTable(
	'suppression_changes',
	{
		seq: integer('seq').primaryKey({ autoIncrement: true }),
		address: text('address').notNull(),
		scope: text('scope').notNull()
	},
	(table) => [unique('suppression_changes_address').on(table.address, table.scope)]
);

/** Domains that were removed and whose lists are still to be cleared: too many rows for the transaction that removed them. */
export const removedScopes = sqliteTable('suppression_removed_scopes', { scope: text('scope').primaryKey() });

/** Soft failures that did not suppress anybody yet. */
export const strikes = sqliteTable(
	'suppression_strikes',
	{
		address: text('address').notNull(),
		scope: text('scope').notNull(),
		kind: text('kind', { enum: ['hard', 'soft'] }).notNull(),
		/** When each one happened, the latest last, bounded by the largest count that a rule may ask for. */
		times: json<number[]>('times').notNull(),
		lastAt: moment('last_at').notNull()
	},
	(table) => [
		primaryKey({ columns: [table.scope, table.address, table.kind] }),
		index('suppression_strikes_last').on(table.lastAt),
		check('suppression_strikes_kind', sql`${table.kind} in ('hard', 'soft')`)
	]
);

/** One row: when an event suppresses. Without it the defaults hold. */
export const suppressionRules = sqliteTable(
	'suppression_rules',
	{
		id: integer('id').primaryKey(),
		rules: json<unknown>('rules').notNull(),
		updatedAt: moment('updated_at').notNull(),
		version: version()
	},
	(table) => [check('suppression_rules_one_row', sql`${table.id} = 1`)]
);

/** One row: what the files on disk were made from, and who makes them now. */
export const suppressionFiles = sqliteTable(
	'suppression_files',
	{
		id: integer('id').primaryKey(),
		/** Grows with each reason to build the base anew; `baseDue` is what the present one was built for. */
		due: integer('due').notNull().default(1),
		baseDue: integer('base_due').notNull().default(0),
		/** Written into the file too: another one there is not ours, or of another database. */
		baseId: text('base_id'),
		/** The base that is about to be renamed into its place. */
		nextBaseId: text('next_base_id'),
		/** The number of the last change that it surely holds. */
		baseSeq: integer('base_seq').notNull().default(0),
		baseRows: integer('base_rows').notNull().default(0),
		baseBytes: integer('base_bytes').notNull().default(0),
		baseAt: moment('base_at'),
		baseTookMs: integer('base_took_ms').notNull().default(0),
		deltaId: text('delta_id'),
		deltaSeq: integer('delta_seq').notNull().default(0),
		deltaRows: integer('delta_rows').notNull().default(0),
		deltaBytes: integer('delta_bytes').notNull().default(0),
		deltaAt: moment('delta_at'),
		/** The process that writes, and until when another one leaves it alone. */
		writer: text('writer'),
		writerUntil: moment('writer_until'),
		/** Rows of the base in the making. */
		progress: integer('progress'),
		failure: text('failure'),
		failedAt: moment('failed_at')
	},
	(table) => [check('suppression_files_one_row', sql`${table.id} = 1`)]
);
