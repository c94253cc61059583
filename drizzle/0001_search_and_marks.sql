CREATE VIRTUAL TABLE `domains_search` USING fts5(name, content='domains', content_rowid='seq', tokenize='trigram');
--> statement-breakpoint
CREATE TRIGGER `domains_search_insert` AFTER INSERT ON `domains` BEGIN INSERT INTO `domains_search`(rowid, name) VALUES (new.seq, new.name); END;
--> statement-breakpoint
CREATE TRIGGER `domains_search_delete` AFTER DELETE ON `domains` BEGIN INSERT INTO `domains_search`(`domains_search`, rowid, name) VALUES ('delete', old.seq, old.name); END;
--> statement-breakpoint
CREATE TRIGGER `domains_search_update` AFTER UPDATE OF name ON `domains` BEGIN INSERT INTO `domains_search`(`domains_search`, rowid, name) VALUES ('delete', old.seq, old.name); INSERT INTO `domains_search`(rowid, name) VALUES (new.seq, new.name); END;
--> statement-breakpoint
CREATE VIRTUAL TABLE `senders_search` USING fts5(address, content='senders', content_rowid='seq', tokenize='trigram');
--> statement-breakpoint
CREATE TRIGGER `senders_search_insert` AFTER INSERT ON `senders` BEGIN INSERT INTO `senders_search`(rowid, address) VALUES (new.seq, new.address); END;
--> statement-breakpoint
CREATE TRIGGER `senders_search_delete` AFTER DELETE ON `senders` BEGIN INSERT INTO `senders_search`(`senders_search`, rowid, address) VALUES ('delete', old.seq, old.address); END;
--> statement-breakpoint
CREATE TRIGGER `senders_search_update` AFTER UPDATE OF address ON `senders` BEGIN INSERT INTO `senders_search`(`senders_search`, rowid, address) VALUES ('delete', old.seq, old.address); INSERT INTO `senders_search`(rowid, address) VALUES (new.seq, new.address); END;
--> statement-breakpoint
INSERT INTO `change_marks`(feature, counter) VALUES ('settings', 0);
--> statement-breakpoint
CREATE TRIGGER `settings_mark_insert` AFTER INSERT ON `settings` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'settings'; END;
--> statement-breakpoint
CREATE TRIGGER `settings_mark_update` AFTER UPDATE ON `settings` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'settings'; END;
--> statement-breakpoint
CREATE TRIGGER `settings_mark_delete` AFTER DELETE ON `settings` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'settings'; END;
--> statement-breakpoint
INSERT INTO `change_marks`(feature, counter) VALUES ('sources', 0);
--> statement-breakpoint
CREATE TRIGGER `sources_mark_insert` AFTER INSERT ON `sources` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'sources'; END;
--> statement-breakpoint
CREATE TRIGGER `sources_mark_update` AFTER UPDATE ON `sources` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'sources'; END;
--> statement-breakpoint
CREATE TRIGGER `sources_mark_delete` AFTER DELETE ON `sources` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'sources'; END;
--> statement-breakpoint
INSERT INTO `change_marks`(feature, counter) VALUES ('pools', 0);
--> statement-breakpoint
CREATE TRIGGER `pools_mark_insert` AFTER INSERT ON `pools` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'pools'; END;
--> statement-breakpoint
CREATE TRIGGER `pools_mark_update` AFTER UPDATE ON `pools` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'pools'; END;
--> statement-breakpoint
CREATE TRIGGER `pools_mark_delete` AFTER DELETE ON `pools` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'pools'; END;
--> statement-breakpoint
CREATE TRIGGER `pool_sources_mark_insert` AFTER INSERT ON `pool_sources` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'pools'; END;
--> statement-breakpoint
CREATE TRIGGER `pool_sources_mark_update` AFTER UPDATE ON `pool_sources` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'pools'; END;
--> statement-breakpoint
CREATE TRIGGER `pool_sources_mark_delete` AFTER DELETE ON `pool_sources` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'pools'; END;
--> statement-breakpoint
CREATE TRIGGER `removed_pools_mark_insert` AFTER INSERT ON `removed_pools` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'pools'; END;
--> statement-breakpoint
CREATE TRIGGER `removed_pools_mark_update` AFTER UPDATE ON `removed_pools` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'pools'; END;
--> statement-breakpoint
CREATE TRIGGER `removed_pools_mark_delete` AFTER DELETE ON `removed_pools` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'pools'; END;
--> statement-breakpoint
INSERT INTO `change_marks`(feature, counter) VALUES ('domains', 0);
--> statement-breakpoint
CREATE TRIGGER `domains_mark_insert` AFTER INSERT ON `domains` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'domains'; END;
--> statement-breakpoint
CREATE TRIGGER `domains_mark_update` AFTER UPDATE ON `domains` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'domains'; END;
--> statement-breakpoint
CREATE TRIGGER `domains_mark_delete` AFTER DELETE ON `domains` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'domains'; END;
--> statement-breakpoint
INSERT INTO `change_marks`(feature, counter) VALUES ('senders', 0);
--> statement-breakpoint
CREATE TRIGGER `senders_mark_insert` AFTER INSERT ON `senders` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'senders'; END;
--> statement-breakpoint
CREATE TRIGGER `senders_mark_update` AFTER UPDATE ON `senders` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'senders'; END;
--> statement-breakpoint
CREATE TRIGGER `senders_mark_delete` AFTER DELETE ON `senders` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'senders'; END;
--> statement-breakpoint
CREATE TRIGGER `removed_senders_mark_insert` AFTER INSERT ON `removed_senders` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'senders'; END;
--> statement-breakpoint
CREATE TRIGGER `removed_senders_mark_update` AFTER UPDATE ON `removed_senders` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'senders'; END;
--> statement-breakpoint
CREATE TRIGGER `removed_senders_mark_delete` AFTER DELETE ON `removed_senders` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'senders'; END;
--> statement-breakpoint
INSERT INTO `change_marks`(feature, counter) VALUES ('dkim', 0);
--> statement-breakpoint
CREATE TRIGGER `dkim_keys_mark_insert` AFTER INSERT ON `dkim_keys` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'dkim'; END;
--> statement-breakpoint
CREATE TRIGGER `dkim_keys_mark_update` AFTER UPDATE ON `dkim_keys` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'dkim'; END;
--> statement-breakpoint
CREATE TRIGGER `dkim_keys_mark_delete` AFTER DELETE ON `dkim_keys` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'dkim'; END;
--> statement-breakpoint
INSERT INTO `change_marks`(feature, counter) VALUES ('bounces', 0);
--> statement-breakpoint
CREATE TRIGGER `bounce_accounts_mark_insert` AFTER INSERT ON `bounce_accounts` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'bounces'; END;
--> statement-breakpoint
CREATE TRIGGER `bounce_accounts_mark_update` AFTER UPDATE ON `bounce_accounts` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'bounces'; END;
--> statement-breakpoint
CREATE TRIGGER `bounce_accounts_mark_delete` AFTER DELETE ON `bounce_accounts` BEGIN UPDATE `change_marks` SET counter = counter + 1 WHERE feature = 'bounces'; END;
