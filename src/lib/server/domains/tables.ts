import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { flag, json, moment, version } from '../core/columns.ts';
import { newId } from '../core/id.ts';

/** What the domain asks receivers to do with mail that fails DMARC (RFC 7489 section 6.3). */
export interface DmarcPolicy {
	policy: 'none' | 'quarantine' | 'reject';
	subdomainPolicy?: 'none' | 'quarantine' | 'reject' | null;
	percentage?: number;
	aggregateReports?: string | null;
	failureReports?: string | null;
	strictDkim?: boolean;
	strictSpf?: boolean;
}

export const domains = sqliteTable(
	'domains',
	{
		/** Row number of the search index; never leaves the server. */
		seq: integer('seq').primaryKey({ autoIncrement: true }),
		id: text('id').notNull().unique().$defaultFn(newId),
		/** A-label form, lower case. */
		name: text('name').notNull().unique(),
		bounceHost: text('bounce_host').notNull().unique(),
		acceptAnyReturnPath: flag('accept_any_return_path').notNull(),
		complaintAddress: text('complaint_address'),
		/** Whether a failure in delivery is reported to the bounce account that the message names as its return path. */
		reportFailures: flag('report_failures').notNull().default(true),
		/** Whether recipients on the suppression lists are refused for this domain's senders. */
		suppression: flag('suppression').notNull().default(true),
		dmarc: json<DmarcPolicy>('dmarc').notNull(),
		createdAt: moment('created_at').notNull(),
		version: version()
	},
	(table) => [index('domains_created').on(table.createdAt, table.seq)]
);
