import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { id, moment, version } from '../core/columns.ts';

export const users = sqliteTable('users', {
	id: id(),
	email: text('email').notNull().unique(),
	passwordHash: text('password_hash').notNull(),
	/** 'first' for the account made with the setup code: the unique constraint lets exactly one exist. */
	registration: text('registration', { enum: ['first'] }).unique(),
	passwordChangedAt: moment('password_changed_at').notNull(),
	createdAt: moment('created_at').notNull(),
	version: version()
});

export const sessions = sqliteTable(
	'sessions',
	{
		id: id(),
		userId: text('user_id')
			.notNull()
			.references(() => users.id, { onDelete: 'cascade' }),
		/** Hex SHA-256 of the bearer token; the token itself is never stored. */
		tokenHash: text('token_hash').notNull().unique(),
		createdAt: moment('created_at').notNull(),
		expiresAt: moment('expires_at').notNull(),
		lastUsedAt: moment('last_used_at').notNull(),
		address: text('address').notNull(),
		userAgent: text('user_agent').notNull()
	},
	(table) => [index('sessions_user').on(table.userId), index('sessions_expiry').on(table.expiresAt)]
);

/** Failures counted per key in a fixed window, so that a restart forgives nobody. */
export const attempts = sqliteTable(
	'attempts',
	{
		key: text('key').primaryKey(),
		count: integer('count').notNull(),
		windowEndsAt: moment('window_ends_at').notNull()
	},
	(table) => [index('attempts_window').on(table.windowEndsAt)]
);
