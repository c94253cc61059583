import { sql } from 'drizzle-orm';
import { check, index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { id, moment, version } from '../core/columns.ts';
import { sources } from '../sources/tables.ts';

export const pools = sqliteTable('pools', {
	id: id(),
	name: text('name').notNull().unique(),
	createdAt: moment('created_at').notNull(),
	version: version()
});

export const poolSources = sqliteTable(
	'pool_sources',
	{
		poolId: text('pool_id')
			.notNull()
			.references(() => pools.id, { onDelete: 'cascade' }),
		sourceId: text('source_id')
			.notNull()
			.references(() => sources.id, { onDelete: 'restrict' }),
		weight: integer('weight').notNull()
	},
	(table) => [
		primaryKey({ columns: [table.poolId, table.sourceId] }),
		index('pool_sources_source').on(table.sourceId),
		check('pool_sources_weight', sql`${table.weight} between 0 and 100`)
	]
);

/** Pools that are gone, kept while spooled mail may still name them. */
export const removedPools = sqliteTable('removed_pools', {
	name: text('name').primaryKey(),
	removedAt: moment('removed_at').notNull(),
	keptUntilAt: moment('kept_until_at').notNull()
});
