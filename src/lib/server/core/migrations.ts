import { readFileSync } from 'node:fs';
import { mkdir, chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { migrate as runMigrations } from 'drizzle-orm/libsql/migrator';
import { z } from 'zod';
import { assetPath } from './assets.ts';
import { giveToOwnerOf } from './data-owner.ts';
import type { Database } from './database.ts';
import type { Log } from './log.ts';

const journal = z.object({ entries: z.array(z.object({ when: z.number(), tag: z.string() })) });

/** The database belongs to a newer version of the panel, or a migration left it inconsistent. */
export class MigrationError extends Error {
	override name = 'MigrationError';
}

/**
 * Brings the database to this version's schema, all pending migrations in one transaction, after copying the file.
 * @throws MigrationError when the database is newer than the program, or a foreign key points nowhere afterwards.
 */
export async function migrate(
	database: Database,
	{ url, dataDir, log }: { url: string; dataDir: string; log: Log }
): Promise<void> {
	const known = readJournal();
	const applied = await appliedMigrations(database);
	const newest = known.at(-1)?.when ?? 0;
	if (applied.some((when) => when > newest)) {
		throw new MigrationError(
			'The database was made by a newer version of KumoMTA UI. Nothing was started or changed. Install that version again, or restore the backup taken before the upgrade.'
		);
	}
	const pending = known.filter(({ when }) => !applied.includes(when));
	if (pending.length === 0) return;
	// The migrator looks at the newest date alone: an older one would be left out without a word.
	if (pending.some(({ when }) => when < Math.max(0, ...applied)))
		throw new MigrationError(
			'The database lacks a migration that is older than one it has. Nothing was started or changed. Install the version that made it, or restore a backup.'
		);
	if (applied.length > 0) await copyBefore(database, { url, dataDir, log, tag: pending[0]?.tag ?? '' });
	await runMigrations(database.db, { migrationsFolder: assetPath('migrations') });
	const broken = await database.client.execute('PRAGMA foreign_key_check');
	if (broken.rows.length > 0)
		throw new MigrationError(
			'After the migration some rows refer to rows that do not exist. The panel was not started. Restore the backup taken before the upgrade.'
		);
	log.info('database migrated', { migrations: pending.map(({ tag }) => tag) });
}

export function readJournal(): { when: number; tag: string }[] {
	return journal.parse(JSON.parse(readFileSync(join(assetPath('migrations'), 'meta/_journal.json'), 'utf8'))).entries;
}

async function appliedMigrations({ client }: Database): Promise<number[]> {
	const table = await client.execute(
		"SELECT name FROM sqlite_master WHERE type = 'table' AND name = '__drizzle_migrations'"
	);
	if (table.rows.length === 0) return [];
	const rows = await client.execute('SELECT created_at FROM __drizzle_migrations ORDER BY created_at');
	return rows.rows.map((row) => Number(row['created_at']));
}

/** A consistent copy of the embedded file, named after the first migration that will change it. */
async function copyBefore(
	{ client }: Database,
	{ url, dataDir, log, tag }: { url: string; dataDir: string; log: Log; tag: string }
): Promise<void> {
	if (!url.startsWith('file:')) {
		log.warn('database not copied', { why: 'a libSQL server keeps its own backups' });
		return;
	}
	const directory = join(dataDir, 'backups');
	await mkdir(directory, { recursive: true, mode: 0o700 });
	const path = join(directory, `panel-before-${tag}-${Date.now()}.db`);
	await client.execute({ sql: 'VACUUM INTO ?', args: [path] });
	await chmod(path, 0o600);
	giveToOwnerOf(dataDir, directory, path);
	log.info('database copied before migration', { path });
}
