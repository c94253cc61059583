import { sql } from 'drizzle-orm';
import { check, index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { moment } from '../core/columns.ts';

/**
 * How far each segment of KumoMTA's log was counted. The row is written in the transaction that writes what was counted,
 * so a record is counted once however often it is read.
 */
export const logSegments = sqliteTable(
	'log_segments',
	{
		/** SHA-256 of the first record: a segment keeps it through renaming, copying and truncation. */
		id: text('id').primaryKey(),
		directory: text('directory').notNull(),
		/** Under which it was seen last. */
		name: text('name').notNull(),
		/** Inode and size when it was seen last: another file under the same name shows in them. */
		inode: text('inode').notNull(),
		bytes: integer('bytes').notNull(),
		/** Lines from the start whose records are counted; never falls. */
		lines: integer('lines').notNull(),
		/** Of these, lines that were no record. */
		unreadableLines: integer('unreadable_lines').notNull(),
		/** `damaged`: read up to a place that cannot be read; KumoMTA had closed it or its bytes are wrong. */
		state: text('state', { enum: ['open', 'done', 'damaged'] }).notNull(),
		seenAt: moment('seen_at').notNull(),
		/** When no file was there any more. */
		goneAt: moment('gone_at')
	},
	(table) => [
		index('log_segments_name').on(table.directory, table.name),
		index('log_segments_gone').on(table.goneAt),
		index('log_segments_seen').on(table.seenAt),
		index('log_segments_bad')
			.on(table.seenAt)
			.where(sql`state = 'damaged' or unreadable_lines > 0`),
		check('log_segments_state', sql`${table.state} in ('open', 'done', 'damaged')`)
	]
);

/** One row: what the reader of the log met at its last turn. */
export const logReader = sqliteTable(
	'log_reader',
	{
		id: integer('id').primaryKey(),
		directory: text('directory').notNull(),
		state: text('state', { enum: ['reading', 'behind', 'absent', 'unreadable'] }).notNull(),
		/** The system's code, `EACCES` for instance; null while it reads. */
		code: text('code'),
		sinceAt: moment('since_at').notNull(),
		readAt: moment('read_at').notNull()
	},
	(table) => [
		check('log_reader_one_row', sql`${table.id} = 1`),
		check('log_reader_state', sql`${table.state} in ('reading', 'behind', 'absent', 'unreadable')`)
	]
);
