CREATE TABLE `bounce_mailboxes` (
	`account_id` text PRIMARY KEY NOT NULL,
	`messages` integer NOT NULL,
	`bytes` integer NOT NULL,
	`newest_at` integer,
	`scanned_at` integer NOT NULL,
	`error` text,
	FOREIGN KEY (`account_id`) REFERENCES `bounce_accounts`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `removed_mailboxes` (
	`id` text PRIMARY KEY NOT NULL,
	`address` text NOT NULL,
	`removed_at` integer NOT NULL,
	`kept_until_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `removed_mailboxes_kept` ON `removed_mailboxes` (`kept_until_at`);