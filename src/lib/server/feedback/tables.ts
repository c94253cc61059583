import { sql } from 'drizzle-orm';
import { check, index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { moment } from '../core/columns.ts';

const kinds = ['bounce', 'expiry', 'report', 'complaint'] as const;

/**
 * The newest events, a bounded number of them. Ids of domains and senders are no references: what happened stays true when
 * they are removed.
 */
export const feedbackEvents = sqliteTable(
	'feedback_events',
	{
		id: integer('id').primaryKey({ autoIncrement: true }),
		/** When it happened, as the record says, but never later than it was read. */
		at: moment('at').notNull(),
		/** Refused or expired in delivery, reported by another server afterwards, complained about. */
		kind: text('kind', { enum: kinds }).notNull(),
		/** KumoMTA's classification of a bounce, or a complaint's feedback type. */
		class: text('class').notNull(),
		recipient: text('recipient').notNull(),
		/** The envelope sender that the mail left with. */
		returnPath: text('return_path').notNull(),
		domainId: text('domain_id'),
		senderId: text('sender_id'),
		/** SMTP reply code, and the enhanced status code as `5.1.1`. */
		code: integer('code'),
		status: text('status'),
		diagnostic: text('diagnostic').notNull(),
		/** Who said so: the other server's name. */
		reporter: text('reporter').notNull(),
		/** The recipient came from the return path (VERP); what the report named then stands in `named`. */
		named: text('named'),
		/** Evidence: KumoMTA's message id, and where the record stands in its log. */
		messageId: text('message_id').notNull(),
		segment: text('segment').notNull(),
		line: integer('line').notNull()
	},
	(table) => [
		index('feedback_events_at').on(table.at, table.id),
		index('feedback_events_domain').on(table.domainId, table.at, table.id),
		index('feedback_events_sender').on(table.senderId, table.at, table.id),
		index('feedback_events_recipient').on(table.recipient, table.at, table.id),
		check('feedback_events_kind', sql`${table.kind} in ('bounce', 'expiry', 'report', 'complaint')`)
	]
);

/** How many events there were in each hour. Empty text where a domain or sender is not known. */
export const feedbackCounts = sqliteTable(
	'feedback_counts',
	{
		/** Start of the hour. */
		hourAt: moment('hour_at').notNull(),
		domainId: text('domain_id').notNull(),
		senderId: text('sender_id').notNull(),
		kind: text('kind', { enum: kinds }).notNull(),
		class: text('class').notNull(),
		count: integer('count').notNull()
	},
	(table) => [
		primaryKey({ columns: [table.hourAt, table.domainId, table.senderId, table.kind, table.class] }),
		index('feedback_counts_domain').on(table.domainId, table.hourAt),
		index('feedback_counts_sender').on(table.senderId, table.hourAt),
		check('feedback_counts_kind', sql`${table.kind} in ('bounce', 'expiry', 'report', 'complaint')`)
	]
);
