import { sql } from 'drizzle-orm';
import { check, index, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { id, moment, version } from '../core/columns.ts';
import { domains } from '../domains/tables.ts';

export const dkimKeys = sqliteTable(
	'dkim_keys',
	{
		id: id(),
		domainId: text('domain_id')
			.notNull()
			.references(() => domains.id, { onDelete: 'cascade' }),
		selector: text('selector').notNull(),
		algorithm: text('algorithm', { enum: ['rsa-2048', 'rsa-4096', 'ed25519'] }).notNull(),
		state: text('state', { enum: ['pending', 'active', 'retiring', 'retired'] }).notNull(),
		/** Base64 as it stands in `p=`: DER SubjectPublicKeyInfo for RSA, the 32 raw bytes for Ed25519 (RFC 8463). */
		publicKey: text('public_key').notNull(),
		/** PKCS#8 PEM, sealed to the applier (`v2:…`): the panel cannot read it back. */
		sealedPrivateKey: text('sealed_private_key').notNull(),
		/** Hex SHA-256 of the PEM as it is written to disk: lets a stage see that a key file is the right one. */
		privateKeyHash: text('private_key_hash').notNull(),
		createdAt: moment('created_at').notNull(),
		activatedAt: moment('activated_at'),
		retiredAt: moment('retired_at'),
		removableAt: moment('removable_at'),
		dnsStatus: text('dns_status', { enum: ['ok', 'missing', 'mismatch', 'unknown'] }).notNull(),
		dnsCheckedAt: moment('dns_checked_at'),
		version: version()
	},
	(table) => [
		index('dkim_keys_domain').on(table.domainId, table.state),
		check('dkim_keys_state', sql`${table.state} in ('pending', 'active', 'retiring', 'retired')`),
		check('dkim_keys_algorithm', sql`${table.algorithm} in ('rsa-2048', 'rsa-4096', 'ed25519')`)
	]
);

/** Every selector a domain ever used, also of removed keys and domains: resolvers and key caches remember them. */
export const usedSelectors = sqliteTable(
	'used_selectors',
	{
		domainName: text('domain_name').notNull(),
		selector: text('selector').notNull(),
		usedAt: moment('used_at').notNull()
	},
	(table) => [primaryKey({ columns: [table.domainName, table.selector] })]
);

/** Domains waiting for their first key (after an import); a background job works it off. */
export const keyRequests = sqliteTable('key_requests', {
	domainId: text('domain_id')
		.primaryKey()
		.references(() => domains.id, { onDelete: 'cascade' }),
	importId: text('import_id'),
	requestedAt: moment('requested_at').notNull()
});
