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
