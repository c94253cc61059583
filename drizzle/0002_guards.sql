CREATE TABLE `golden_routes` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`request` text NOT NULL,
	`expectation` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`version` integer DEFAULT 1 NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `golden_routes_name_unique` ON `golden_routes` (`name`);--> statement-breakpoint
ALTER TABLE `applies` ADD `watch` text;--> statement-breakpoint
ALTER TABLE `applies` ADD `confirm_until_at` integer;--> statement-breakpoint
ALTER TABLE `settings` ADD `watch_seconds` integer DEFAULT 60 NOT NULL CONSTRAINT "settings_watch_seconds" CHECK("watch_seconds" between 0 and 600);--> statement-breakpoint
ALTER TABLE `settings` ADD `confirm_listeners` integer DEFAULT false NOT NULL;
