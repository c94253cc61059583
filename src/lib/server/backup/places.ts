import { dirname, join } from 'node:path';
import type { Env } from '../core/env.ts';
import { refused } from './damage.ts';

/** Where a restore lays things, by the first part of their name in the archive. */
export interface Places {
	data: string;
	/** The directory of the database file, and the file's own name. */
	database: string;
	databaseFile: string;
	etc: string;
}

export function placesOf({ dataDir, databaseUrl, kumomtaRoot }: Pick<Env, 'dataDir' | 'databaseUrl' | 'kumomtaRoot'>) {
	if (!databaseUrl.startsWith('file:'))
		throw refused(
			'remote-database',
			'DATABASE_URL names a libSQL server, and a backup holds a database file.',
			'Restore the server from its own backups, or set DATABASE_URL to a file, or use --into.'
		);
	const path = databaseUrl.slice('file:'.length);
	return { data: dataDir, database: dirname(path), databaseFile: path, etc: join(kumomtaRoot, 'etc') };
}
