CREATE TABLE `health_results` (
	`id` text PRIMARY KEY NOT NULL,
	`outcome` text NOT NULL,
	`found` text NOT NULL,
	`details` text NOT NULL,
	`mend` text,
	`checked_at` integer NOT NULL,
	`since_at` integer NOT NULL,
	`rights` text NOT NULL,
	CONSTRAINT "health_results_outcome" CHECK("health_results"."outcome" in ('failed', 'warning', 'unknown', 'ok')),
	CONSTRAINT "health_results_rights" CHECK("health_results"."rights" in ('root', 'panel'))
);
