ALTER TABLE `revisions` ADD `removed_at` integer;--> statement-breakpoint
ALTER TABLE `revisions` ADD `removed_because` text;