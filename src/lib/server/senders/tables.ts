import { sql } from 'drizzle-orm';
import { check, index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { flag, moment, version } from '../core/columns.ts';
import { newId } from '../core/id.ts';
import { domains } from '../domains/tables.ts';
import { pools } from '../pools/tables.ts';

export const senders = sqliteTable(
	'senders',
	{
		/** Row number of the search index; never leaves the server. */
		seq: integer('seq').primaryKey({ autoIncrement: true }),
		id: text('id').notNull().unique().$defaultFn(newId),
		domainId: text('domain_id')
			.notNull()
			.references(() => domains.id, { onDelete: 'cascade' }),
		localPart: text('local_part').notNull(),
		/** `localPart@domain`, normalised: the SMTP user name. */
		address: text('address').notNull().unique(),
		/** The queue's tenant: made once, never changed, so that spooled mail keeps its owner. */
		tenant: text('tenant').notNull().unique(),
		poolId: text('pool_id')
			.notNull()
			.references(() => pools.id, { onDelete: 'restrict' }),
		fromPolicy: text('from_policy', { enum: ['address', 'domain'] }).notNull(),
		status: text('status', { enum: ['enabled', 'paused'] }).notNull(),
		limitCount: integer('limit_count'),
		limitUnit: text('limit_unit', { enum: ['perSecond', 'perMinute', 'perHour', 'perDay'] }),
		retryIntervalSeconds: integer('retry_interval_seconds'),
		maxAgeSeconds: integer('max_age_seconds'),
		/** PBKDF2-HMAC-SHA256: lower-case hex. All null while no password is set. */
		passwordSalt: text('password_salt'),
		passwordVerifier: text('password_verifier'),
		passwordIterations: integer('password_iterations'),
		passwordGenerated: flag('password_generated'),
		passwordSetAt: moment('password_set_at'),
		createdAt: moment('created_at').notNull(),
		version: version()
	},
	(table) => [
		index('senders_domain').on(table.domainId, table.address),
		index('senders_domain_created').on(table.domainId, table.createdAt, table.seq),
		index('senders_pool').on(table.poolId),
		index('senders_created').on(table.createdAt, table.seq),
		check('senders_from_policy', sql`${table.fromPolicy} in ('address', 'domain')`),
		check('senders_status', sql`${table.status} in ('enabled', 'paused')`),
		check('senders_limit', sql`(${table.limitCount} is null) = (${table.limitUnit} is null)`),
		check(
			'senders_password',
			sql`(${table.passwordVerifier} is null) = (${table.passwordSalt} is null) and (${table.passwordVerifier} is null) = (${table.passwordIterations} is null)`
		)
	]
);

/** Senders that are gone, kept while their spooled mail still needs a pool. */
export const removedSenders = sqliteTable(
	'removed_senders',
	{
		tenant: text('tenant').primaryKey(),
		poolName: text('pool_name').notNull(),
		removedAt: moment('removed_at').notNull(),
		keptUntilAt: moment('kept_until_at').notNull()
	},
	(table) => [index('removed_senders_kept').on(table.keptUntilAt)]
);
