CREATE INDEX `feedback_events_recipient` ON `feedback_events` (`recipient`,`at`,`id`);--> statement-breakpoint
CREATE INDEX `log_segments_seen` ON `log_segments` (`seen_at`);--> statement-breakpoint
CREATE INDEX `log_segments_bad` ON `log_segments` (`seen_at`) WHERE state = 'damaged' or unreadable_lines > 0;