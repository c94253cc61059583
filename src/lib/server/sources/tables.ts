import { index, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { id, moment, version } from '../core/columns.ts';

/** Egress sources: the addresses that mail leaves from, with the name each greets with. */
export const sources = sqliteTable(
	'sources',
	{
		id: id(),
		name: text('name').notNull().unique(),
		address: text('address').notNull().unique(),
		/** The address the world sees, where NAT stands between; null means `address`. */
		publicAddress: text('public_address'),
		ehloDomain: text('ehlo_domain').notNull(),
		createdAt: moment('created_at').notNull(),
		version: version()
	},
	(table) => [index('sources_created').on(table.createdAt, table.id)]
);
