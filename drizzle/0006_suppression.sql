CREATE TABLE `suppression_removed_scopes` (
	`scope` text PRIMARY KEY NOT NULL
);
--> statement-breakpoint
CREATE TABLE `suppression_strikes` (
	`address` text NOT NULL,
	`scope` text NOT NULL,
	`kind` text NOT NULL,
	`times` text NOT NULL,
	`last_at` integer NOT NULL,
	PRIMARY KEY(`scope`, `address`, `kind`),
	CONSTRAINT "suppression_strikes_kind" CHECK("suppression_strikes"."kind" in ('hard', 'soft'))
);
--> statement-breakpoint
CREATE INDEX `suppression_strikes_last` ON `suppression_strikes` (`last_at`);--> statement-breakpoint
CREATE TABLE `suppression_changes` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`address` text NOT NULL,
	`scope` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `suppression_changes_address` ON `suppression_changes` (`address`,`scope`);--> statement-breakpoint
CREATE TABLE `suppression_files` (
	`id` integer PRIMARY KEY NOT NULL,
	`due` integer DEFAULT 1 NOT NULL,
	`base_due` integer DEFAULT 0 NOT NULL,
	`base_id` text,
	`next_base_id` text,
	`base_seq` integer DEFAULT 0 NOT NULL,
	`base_rows` integer DEFAULT 0 NOT NULL,
	`base_bytes` integer DEFAULT 0 NOT NULL,
	`base_at` integer,
	`base_took_ms` integer DEFAULT 0 NOT NULL,
	`delta_id` text,
	`delta_seq` integer DEFAULT 0 NOT NULL,
	`delta_rows` integer DEFAULT 0 NOT NULL,
	`delta_bytes` integer DEFAULT 0 NOT NULL,
	`delta_at` integer,
	`writer` text,
	`writer_until` integer,
	`progress` integer,
	`failure` text,
	`failed_at` integer,
	CONSTRAINT "suppression_files_one_row" CHECK("suppression_files"."id" = 1)
);
--> statement-breakpoint
CREATE TABLE `suppression_rules` (
	`id` integer PRIMARY KEY NOT NULL,
	`rules` text NOT NULL,
	`updated_at` integer NOT NULL,
	`version` integer DEFAULT 1 NOT NULL,
	CONSTRAINT "suppression_rules_one_row" CHECK("suppression_rules"."id" = 1)
);
--> statement-breakpoint
CREATE TABLE `suppressions` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`address` text NOT NULL,
	`scope` text NOT NULL,
	`reason` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer,
	`class` text,
	`code` integer,
	`status` text,
	`diagnostic` text,
	`count` integer NOT NULL,
	`first_at` integer,
	`last_at` integer,
	`note` text NOT NULL,
	`added_by` text NOT NULL,
	`version` integer DEFAULT 1 NOT NULL,
	CONSTRAINT "suppressions_reason_known" CHECK("suppressions"."reason" in ('hard-bounce', 'soft-bounce', 'complaint', 'manual', 'import'))
);
--> statement-breakpoint
CREATE INDEX `suppressions_reason` ON `suppressions` (`reason`,`address`,`scope`);--> statement-breakpoint
CREATE INDEX `suppressions_scope` ON `suppressions` (`scope`,`reason`,`address`);--> statement-breakpoint
CREATE INDEX `suppressions_host` ON `suppressions` (substr(`address`, instr(`address`, '@') + 1),`reason`,`address`);--> statement-breakpoint
CREATE INDEX `suppressions_created` ON `suppressions` (`created_at`,`seq`);--> statement-breakpoint
CREATE INDEX `suppressions_expiry` ON `suppressions` (`expires_at`) WHERE "expires_at" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX `suppressions_address` ON `suppressions` (`address`,`scope`);--> statement-breakpoint
CREATE TRIGGER `suppressions_insert` AFTER INSERT ON `suppressions` BEGIN DELETE FROM `suppression_changes` WHERE address = new.address AND scope = new.scope; INSERT INTO `suppression_changes`(address, scope) VALUES (new.address, new.scope); END;
--> statement-breakpoint
CREATE TRIGGER `suppressions_update` AFTER UPDATE OF reason ON `suppressions` WHEN old.reason <> new.reason BEGIN DELETE FROM `suppression_changes` WHERE address = new.address AND scope = new.scope; INSERT INTO `suppression_changes`(address, scope) VALUES (new.address, new.scope); END;
--> statement-breakpoint
CREATE TRIGGER `suppressions_delete` AFTER DELETE ON `suppressions` BEGIN DELETE FROM `suppression_changes` WHERE address = old.address AND scope = old.scope; INSERT INTO `suppression_changes`(address, scope) VALUES (old.address, old.scope); END;
--> statement-breakpoint
CREATE TRIGGER `suppressions_domain` AFTER DELETE ON `domains` WHEN EXISTS (SELECT 1 FROM `suppressions` WHERE scope = old.id) OR EXISTS (SELECT 1 FROM `suppression_strikes` WHERE scope = old.id) BEGIN INSERT INTO `suppression_removed_scopes`(scope) VALUES (old.id); UPDATE `suppression_files` SET due = due + 1; END;
--> statement-breakpoint
INSERT INTO `suppression_files`(id) VALUES (1);
