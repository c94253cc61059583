import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openTestApp } from '../../../../tests/support/app.ts';
import { createLog } from './log.ts';
import { migrate, MigrationError, readJournal } from './migrations.ts';

const whens = readJournal().map(({ when }) => when);

it('migrations are dated in their order: the migrator leaves out one that is older than the last', () => {
	expect(whens).toEqual(whens.toSorted((a, b) => a - b));
	expect(new Set(whens).size).toBe(whens.length);
});

it('a database with a gap is refused and stays as it is', async () => {
	const app = await openTestApp();
	await app.database.client.execute({
		sql: 'DELETE FROM __drizzle_migrations WHERE created_at = ?',
		args: [whens[0] ?? 0]
	});
	const { databaseUrl: url, dataDir } = app.env;
	await expect(migrate(app.database, { url, dataDir, log: createLog('error') })).rejects.toThrow(MigrationError);
	expect(existsSync(join(dataDir, 'backups'))).toBe(false);
});
