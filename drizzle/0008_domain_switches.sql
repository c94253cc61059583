ALTER TABLE `domains` ADD `report_failures` integer DEFAULT true NOT NULL;--> statement-breakpoint
ALTER TABLE `domains` ADD `suppression` integer DEFAULT true NOT NULL;