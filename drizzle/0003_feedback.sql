CREATE TABLE `feedback_counts` (
	`hour_at` integer NOT NULL,
	`domain_id` text NOT NULL,
	`sender_id` text NOT NULL,
	`kind` text NOT NULL,
	`class` text NOT NULL,
	`count` integer NOT NULL,
	PRIMARY KEY(`hour_at`, `domain_id`, `sender_id`, `kind`, `class`),
	CONSTRAINT "feedback_counts_kind" CHECK("feedback_counts"."kind" in ('bounce', 'expiry', 'report', 'complaint'))
);
--> statement-breakpoint
CREATE INDEX `feedback_counts_domain` ON `feedback_counts` (`domain_id`,`hour_at`);--> statement-breakpoint
CREATE INDEX `feedback_counts_sender` ON `feedback_counts` (`sender_id`,`hour_at`);--> statement-breakpoint
CREATE TABLE `feedback_events` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`at` integer NOT NULL,
	`kind` text NOT NULL,
	`class` text NOT NULL,
	`recipient` text NOT NULL,
	`return_path` text NOT NULL,
	`domain_id` text,
	`sender_id` text,
	`code` integer,
	`status` text,
	`diagnostic` text NOT NULL,
	`reporter` text NOT NULL,
	`named` text,
	`message_id` text NOT NULL,
	`segment` text NOT NULL,
	`line` integer NOT NULL,
	CONSTRAINT "feedback_events_kind" CHECK("feedback_events"."kind" in ('bounce', 'expiry', 'report', 'complaint'))
);
--> statement-breakpoint
CREATE INDEX `feedback_events_at` ON `feedback_events` (`at`,`id`);--> statement-breakpoint
CREATE INDEX `feedback_events_domain` ON `feedback_events` (`domain_id`,`at`,`id`);--> statement-breakpoint
CREATE INDEX `feedback_events_sender` ON `feedback_events` (`sender_id`,`at`,`id`);--> statement-breakpoint
CREATE TABLE `log_reader` (
	`id` integer PRIMARY KEY NOT NULL,
	`directory` text NOT NULL,
	`state` text NOT NULL,
	`code` text,
	`since_at` integer NOT NULL,
	`read_at` integer NOT NULL,
	CONSTRAINT "log_reader_one_row" CHECK("log_reader"."id" = 1),
	CONSTRAINT "log_reader_state" CHECK("log_reader"."state" in ('reading', 'behind', 'absent', 'unreadable'))
);
--> statement-breakpoint
CREATE TABLE `log_segments` (
	`id` text PRIMARY KEY NOT NULL,
	`directory` text NOT NULL,
	`name` text NOT NULL,
	`inode` text NOT NULL,
	`bytes` integer NOT NULL,
	`lines` integer NOT NULL,
	`unreadable_lines` integer NOT NULL,
	`state` text NOT NULL,
	`seen_at` integer NOT NULL,
	`gone_at` integer,
	CONSTRAINT "log_segments_state" CHECK("log_segments"."state" in ('open', 'done', 'damaged'))
);
--> statement-breakpoint
CREATE INDEX `log_segments_name` ON `log_segments` (`directory`,`name`);--> statement-breakpoint
CREATE INDEX `log_segments_gone` ON `log_segments` (`gone_at`);