import { sql } from 'drizzle-orm';
import { check, index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { flag, id, moment, version } from '../core/columns.ts';
import { domains } from '../domains/tables.ts';

export const bounceAccounts = sqliteTable(
	'bounce_accounts',
	{
		id: id(),
		domainId: text('domain_id')
			.notNull()
			.references(() => domains.id, { onDelete: 'cascade' }),
		localPart: text('local_part').notNull(),
		/** `localPart@bounceHost`, normalised. */
		address: text('address').notNull().unique(),
		/** bcrypt, checked by Dovecot; null until a password is set. */
		passwordHash: text('password_hash'),
		passwordGenerated: flag('password_generated'),
		passwordSetAt: moment('password_set_at'),
		quotaBytes: integer('quota_bytes').notNull(),
		retentionDays: integer('retention_days').notNull(),
		notes: text('notes').notNull(),
		enabled: flag('enabled').notNull(),
		createdAt: moment('created_at').notNull(),
		version: version()
	},
	(table) => [
		index('bounce_accounts_domain').on(table.domainId, table.address),
		check('bounce_accounts_quota', sql`${table.quotaBytes} > 0`)
	]
);

/** What lay in an account's mailbox when the job last looked: a page reads this row and never walks the directory. */
export const bounceMailboxes = sqliteTable('bounce_mailboxes', {
	accountId: text('account_id')
		.primaryKey()
		.references(() => bounceAccounts.id, { onDelete: 'cascade' }),
	messages: integer('messages').notNull(),
	bytes: integer('bytes').notNull(),
	/** When the newest message arrived; null when there is none. */
	newestAt: moment('newest_at'),
	scannedAt: moment('scanned_at').notNull(),
	/** Why the last look failed, for people; the numbers are then those of the look before. */
	error: text('error')
});

/** Mailboxes of removed accounts, named by the account's id, whose mail is kept until then. */
export const removedMailboxes = sqliteTable(
	'removed_mailboxes',
	{
		id: text('id').primaryKey(),
		address: text('address').notNull(),
		removedAt: moment('removed_at').notNull(),
		keptUntilAt: moment('kept_until_at').notNull()
	},
	(table) => [index('removed_mailboxes_kept').on(table.keptUntilAt)]
);
