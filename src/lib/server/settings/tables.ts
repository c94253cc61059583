import { sql } from 'drizzle-orm';
import { check, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { flag, json, moment, version } from '../core/columns.ts';
import { pools } from '../pools/tables.ts';

export interface Listener {
	address: string;
	port: number;
	purpose: 'inbound' | 'submission' | 'relay';
}

export interface LogSettings {
	directory: string;
	maxSegmentSeconds: number;
	retentionDays: number;
}

export interface SpoolSettings {
	directory: string;
	kind: 'LocalDisk' | 'RocksDB';
	minFreePercent: number;
}

/** One row: what belongs to this KumoMTA node and to nothing smaller. Null means KumoMTA's or our default. */
export const settings = sqliteTable(
	'settings',
	{
		id: integer('id').primaryKey(),
		hostname: text('hostname'),
		listeners: json<Listener[]>('listeners'),
		relayHosts: json<string[]>('relay_hosts').notNull(),
		relayHostsOverride: json<string[]>('relay_hosts_override').notNull(),
		tlsName: text('tls_name'),
		defaultPoolId: text('default_pool_id').references(() => pools.id, { onDelete: 'restrict' }),
		campaignHeader: text('campaign_header'),
		httpApi: text('http_api', { enum: ['trusted', 'credential'] }).notNull(),
		/** Sealed to the panel: the Basic password for KumoMTA's HTTP API in `credential` mode. */
		httpApiPassword: text('http_api_password'),
		resolvers: json<string[]>('resolvers').notNull(),
		logs: json<LogSettings>('logs').notNull(),
		spool: json<SpoolSettings>('spool').notNull(),
		monitorGlobs: json<string[]>('monitor_globs').notNull(),
		/** How long an apply is watched after the last configuration epoch; 0: not at all. */
		watchSeconds: integer('watch_seconds').notNull().default(60),
		/** An apply that changes listeners is taken back unless somebody confirms it in time. */
		confirmListeners: flag('confirm_listeners').notNull().default(false),
		aiProvider: text('ai_provider'),
		aiBaseUrl: text('ai_base_url'),
		aiModel: text('ai_model'),
		aiApiKey: text('ai_api_key'),
		aiApiKeySetAt: moment('ai_api_key_set_at'),
		updatedAt: moment('updated_at').notNull(),
		version: version()
	},
	(table) => [
		check('settings_one_row', sql`${table.id} = 1`),
		check('settings_http_api', sql`${table.httpApi} in ('trusted', 'credential')`),
		check('settings_watch_seconds', sql`${table.watchSeconds} between 0 and 600`)
	]
);
