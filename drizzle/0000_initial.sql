CREATE TABLE `audit_entries` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`at` integer NOT NULL,
	`actor` text NOT NULL,
	`actor_name` text NOT NULL,
	`action` text NOT NULL,
	`target` text,
	`address` text,
	`request_id` text NOT NULL,
	`outcome` text NOT NULL,
	`reason` text,
	`input` text,
	`finished_at` integer
);
--> statement-breakpoint
CREATE INDEX `audit_entries_action` ON `audit_entries` (`action`,`id`);--> statement-breakpoint
CREATE INDEX `audit_entries_actor` ON `audit_entries` (`actor`,`id`);--> statement-breakpoint
CREATE INDEX `audit_entries_target` ON `audit_entries` (`target`,`id`);--> statement-breakpoint
CREATE INDEX `audit_entries_outcome` ON `audit_entries` (`outcome`,`id`);--> statement-breakpoint
CREATE INDEX `audit_entries_at` ON `audit_entries` (`at`);--> statement-breakpoint
CREATE TABLE `attempts` (
	`key` text PRIMARY KEY NOT NULL,
	`count` integer NOT NULL,
	`window_ends_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `attempts_window` ON `attempts` (`window_ends_at`);--> statement-breakpoint
CREATE TABLE `sessions` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`token_hash` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`last_used_at` integer NOT NULL,
	`address` text NOT NULL,
	`user_agent` text NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `sessions_token_hash_unique` ON `sessions` (`token_hash`);--> statement-breakpoint
CREATE INDEX `sessions_user` ON `sessions` (`user_id`);--> statement-breakpoint
CREATE INDEX `sessions_expiry` ON `sessions` (`expires_at`);--> statement-breakpoint
CREATE TABLE `users` (
	`id` text PRIMARY KEY NOT NULL,
	`email` text NOT NULL,
	`password_hash` text NOT NULL,
	`registration` text,
	`password_changed_at` integer NOT NULL,
	`created_at` integer NOT NULL,
	`version` integer DEFAULT 1 NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `users_email_unique` ON `users` (`email`);--> statement-breakpoint
CREATE UNIQUE INDEX `users_registration_unique` ON `users` (`registration`);--> statement-breakpoint
CREATE TABLE `bounce_accounts` (
	`id` text PRIMARY KEY NOT NULL,
	`domain_id` text NOT NULL,
	`local_part` text NOT NULL,
	`address` text NOT NULL,
	`password_hash` text,
	`password_generated` integer,
	`password_set_at` integer,
	`quota_bytes` integer NOT NULL,
	`retention_days` integer NOT NULL,
	`notes` text NOT NULL,
	`enabled` integer NOT NULL,
	`created_at` integer NOT NULL,
	`version` integer DEFAULT 1 NOT NULL,
	FOREIGN KEY (`domain_id`) REFERENCES `domains`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "bounce_accounts_quota" CHECK("bounce_accounts"."quota_bytes" > 0)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `bounce_accounts_address_unique` ON `bounce_accounts` (`address`);--> statement-breakpoint
CREATE INDEX `bounce_accounts_domain` ON `bounce_accounts` (`domain_id`,`address`);--> statement-breakpoint
CREATE TABLE `dkim_keys` (
	`id` text PRIMARY KEY NOT NULL,
	`domain_id` text NOT NULL,
	`selector` text NOT NULL,
	`algorithm` text NOT NULL,
	`state` text NOT NULL,
	`public_key` text NOT NULL,
	`sealed_private_key` text NOT NULL,
	`private_key_hash` text NOT NULL,
	`created_at` integer NOT NULL,
	`activated_at` integer,
	`retired_at` integer,
	`removable_at` integer,
	`dns_status` text NOT NULL,
	`dns_checked_at` integer,
	`version` integer DEFAULT 1 NOT NULL,
	FOREIGN KEY (`domain_id`) REFERENCES `domains`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "dkim_keys_state" CHECK("dkim_keys"."state" in ('pending', 'active', 'retiring', 'retired')),
	CONSTRAINT "dkim_keys_algorithm" CHECK("dkim_keys"."algorithm" in ('rsa-2048', 'rsa-4096', 'ed25519'))
);
--> statement-breakpoint
CREATE INDEX `dkim_keys_domain` ON `dkim_keys` (`domain_id`,`state`);--> statement-breakpoint
CREATE TABLE `key_requests` (
	`domain_id` text PRIMARY KEY NOT NULL,
	`import_id` text,
	`requested_at` integer NOT NULL,
	FOREIGN KEY (`domain_id`) REFERENCES `domains`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `used_selectors` (
	`domain_name` text NOT NULL,
	`selector` text NOT NULL,
	`used_at` integer NOT NULL,
	PRIMARY KEY(`domain_name`, `selector`)
);
--> statement-breakpoint
CREATE TABLE `domains` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`bounce_host` text NOT NULL,
	`accept_any_return_path` integer NOT NULL,
	`complaint_address` text,
	`dmarc` text NOT NULL,
	`created_at` integer NOT NULL,
	`version` integer DEFAULT 1 NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `domains_id_unique` ON `domains` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `domains_name_unique` ON `domains` (`name`);--> statement-breakpoint
CREATE UNIQUE INDEX `domains_bounce_host_unique` ON `domains` (`bounce_host`);--> statement-breakpoint
CREATE INDEX `domains_created` ON `domains` (`created_at`,`seq`);--> statement-breakpoint
CREATE TABLE `import_parts` (
	`import_id` text NOT NULL,
	`part` integer NOT NULL,
	`sealed_text` text NOT NULL,
	`bytes` integer NOT NULL,
	PRIMARY KEY(`import_id`, `part`),
	FOREIGN KEY (`import_id`) REFERENCES `imports`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `imports` (
	`id` text PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`state` text NOT NULL,
	`created_by` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`committed_at` integer,
	`result` text
);
--> statement-breakpoint
CREATE INDEX `imports_expiry` ON `imports` (`expires_at`);--> statement-breakpoint
CREATE TABLE `applies` (
	`id` text PRIMARY KEY NOT NULL,
	`revision` integer,
	`hash` text NOT NULL,
	`previous_revision` integer,
	`actor` text NOT NULL,
	`actor_name` text NOT NULL,
	`reason` text,
	`started_at` integer NOT NULL,
	`finished_at` integer,
	`outcome` text NOT NULL,
	`steps` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `applies_started` ON `applies` (`started_at`);--> statement-breakpoint
CREATE INDEX `applies_outcome` ON `applies` (`outcome`);--> statement-breakpoint
CREATE TABLE `change_marks` (
	`feature` text PRIMARY KEY NOT NULL,
	`counter` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `revisions` (
	`number` integer PRIMARY KEY NOT NULL,
	`hash` text NOT NULL,
	`directory` text NOT NULL,
	`actor` text NOT NULL,
	`actor_name` text NOT NULL,
	`reason` text,
	`created_at` integer NOT NULL,
	`applied_at` integer,
	`change_count` integer NOT NULL,
	`bytes` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `pool_sources` (
	`pool_id` text NOT NULL,
	`source_id` text NOT NULL,
	`weight` integer NOT NULL,
	PRIMARY KEY(`pool_id`, `source_id`),
	FOREIGN KEY (`pool_id`) REFERENCES `pools`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`source_id`) REFERENCES `sources`(`id`) ON UPDATE no action ON DELETE restrict,
	CONSTRAINT "pool_sources_weight" CHECK("pool_sources"."weight" between 0 and 100)
);
--> statement-breakpoint
CREATE INDEX `pool_sources_source` ON `pool_sources` (`source_id`);--> statement-breakpoint
CREATE TABLE `pools` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`created_at` integer NOT NULL,
	`version` integer DEFAULT 1 NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `pools_name_unique` ON `pools` (`name`);--> statement-breakpoint
CREATE TABLE `removed_pools` (
	`name` text PRIMARY KEY NOT NULL,
	`removed_at` integer NOT NULL,
	`kept_until_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `removed_senders` (
	`tenant` text PRIMARY KEY NOT NULL,
	`pool_name` text NOT NULL,
	`removed_at` integer NOT NULL,
	`kept_until_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `removed_senders_kept` ON `removed_senders` (`kept_until_at`);--> statement-breakpoint
CREATE TABLE `senders` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`domain_id` text NOT NULL,
	`local_part` text NOT NULL,
	`address` text NOT NULL,
	`tenant` text NOT NULL,
	`pool_id` text NOT NULL,
	`from_policy` text NOT NULL,
	`status` text NOT NULL,
	`limit_count` integer,
	`limit_unit` text,
	`retry_interval_seconds` integer,
	`max_age_seconds` integer,
	`password_salt` text,
	`password_verifier` text,
	`password_iterations` integer,
	`password_generated` integer,
	`password_set_at` integer,
	`created_at` integer NOT NULL,
	`version` integer DEFAULT 1 NOT NULL,
	FOREIGN KEY (`domain_id`) REFERENCES `domains`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`pool_id`) REFERENCES `pools`(`id`) ON UPDATE no action ON DELETE restrict,
	CONSTRAINT "senders_from_policy" CHECK("senders"."from_policy" in ('address', 'domain')),
	CONSTRAINT "senders_status" CHECK("senders"."status" in ('enabled', 'paused')),
	CONSTRAINT "senders_limit" CHECK(("senders"."limit_count" is null) = ("senders"."limit_unit" is null)),
	CONSTRAINT "senders_password" CHECK(("senders"."password_verifier" is null) = ("senders"."password_salt" is null) and ("senders"."password_verifier" is null) = ("senders"."password_iterations" is null))
);
--> statement-breakpoint
CREATE UNIQUE INDEX `senders_id_unique` ON `senders` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `senders_address_unique` ON `senders` (`address`);--> statement-breakpoint
CREATE UNIQUE INDEX `senders_tenant_unique` ON `senders` (`tenant`);--> statement-breakpoint
CREATE INDEX `senders_domain` ON `senders` (`domain_id`,`address`);--> statement-breakpoint
CREATE INDEX `senders_domain_created` ON `senders` (`domain_id`,`created_at`,`seq`);--> statement-breakpoint
CREATE INDEX `senders_pool` ON `senders` (`pool_id`);--> statement-breakpoint
CREATE INDEX `senders_created` ON `senders` (`created_at`,`seq`);--> statement-breakpoint
CREATE TABLE `settings` (
	`id` integer PRIMARY KEY NOT NULL,
	`hostname` text,
	`listeners` text,
	`relay_hosts` text NOT NULL,
	`relay_hosts_override` text NOT NULL,
	`tls_name` text,
	`default_pool_id` text,
	`campaign_header` text,
	`http_api` text NOT NULL,
	`http_api_password` text,
	`resolvers` text NOT NULL,
	`logs` text NOT NULL,
	`spool` text NOT NULL,
	`monitor_globs` text NOT NULL,
	`ai_provider` text,
	`ai_base_url` text,
	`ai_model` text,
	`ai_api_key` text,
	`ai_api_key_set_at` integer,
	`updated_at` integer NOT NULL,
	`version` integer DEFAULT 1 NOT NULL,
	FOREIGN KEY (`default_pool_id`) REFERENCES `pools`(`id`) ON UPDATE no action ON DELETE restrict,
	CONSTRAINT "settings_one_row" CHECK("settings"."id" = 1),
	CONSTRAINT "settings_http_api" CHECK("settings"."http_api" in ('trusted', 'credential'))
);
--> statement-breakpoint
CREATE TABLE `sources` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`address` text NOT NULL,
	`public_address` text,
	`ehlo_domain` text NOT NULL,
	`created_at` integer NOT NULL,
	`version` integer DEFAULT 1 NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `sources_name_unique` ON `sources` (`name`);--> statement-breakpoint
CREATE UNIQUE INDEX `sources_address_unique` ON `sources` (`address`);--> statement-breakpoint
CREATE INDEX `sources_created` ON `sources` (`created_at`,`id`);