import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { id, json, moment } from '../core/columns.ts';

export interface ImportResult {
	domainsCreated: number;
	sendersCreated: number;
	sendersUpdated: number;
	keysRequested: number;
}

export const imports = sqliteTable(
	'imports',
	{
		id: id(),
		kind: text('kind', { enum: ['domains-and-senders'] }).notNull(),
		state: text('state', { enum: ['open', 'committed'] }).notNull(),
		createdBy: text('created_by').notNull(),
		createdAt: moment('created_at').notNull(),
		expiresAt: moment('expires_at').notNull(),
		committedAt: moment('committed_at'),
		result: json<ImportResult>('result')
	},
	(table) => [index('imports_expiry').on(table.expiresAt)]
);

/** The uploaded text, part by part; sealed to the panel, since a column may hold passwords. Gone with the commit. */
export const importParts = sqliteTable(
	'import_parts',
	{
		importId: text('import_id')
			.notNull()
			.references(() => imports.id, { onDelete: 'cascade' }),
		part: integer('part').notNull(),
		sealedText: text('sealed_text').notNull(),
		bytes: integer('bytes').notNull()
	},
	(table) => [primaryKey({ columns: [table.importId, table.part] })]
);
