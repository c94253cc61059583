import { basename, dirname, join } from 'node:path';
import type { Env } from '../core/env.ts';
import { refused } from './damage.ts';

type PlacesEnv = Pick<Env, 'dataDir' | 'databaseUrl' | 'systemRoot' | 'dovecotEtc' | 'applier'>;

/** Where a restore lays things, by the first part of their name in the archive. */
export interface Places {
	data: string;
	/** The directory of the database file, and the file's own name. */
	database: string;
	databaseFile: string;
	etc: string;
	dovecot: string;
	/** The private half, which lies with the applier where there is one. */
	applierKey: string;
}

/** The key files by the names that they have in an archive. */
export function keyFilesOf({ dataDir, applier }: Pick<PlacesEnv, 'dataDir' | 'applier'>) {
	const applierKey = applier === undefined ? dataDir : join(applier.results, 'private');
	return { 'secret.key': join(dataDir, 'secret.key'), 'applier.key': join(applierKey, 'applier.key') };
}

export function placesOf(env: PlacesEnv): Places {
	if (!env.databaseUrl.startsWith('file:'))
		throw refused(
			'remote-database',
			'DATABASE_URL names a libSQL server, and a backup holds a database file.',
			'Restore the server from its own backups, or set DATABASE_URL to a file, or use --into.'
		);
	const path = env.databaseUrl.slice('file:'.length);
	return {
		data: env.dataDir,
		database: dirname(path),
		databaseFile: path,
		etc: join(env.systemRoot, 'etc'),
		dovecot: env.dovecotEtc,
		applierKey: keyFilesOf(env)['applier.key']
	};
}

/** The places of a panel that keeps everything below one directory. */
export function placesBelow(dataDir: string): Places {
	const systemRoot = join(dataDir, 'kumomta');
	return placesOf({
		dataDir,
		databaseUrl: `file:${join(dataDir, 'panel.db')}`,
		systemRoot,
		dovecotEtc: join(systemRoot, 'dovecot'),
		applier: undefined
	});
}

/** Every file of an archive below one staging directory for each place, on the file system of its target. */
export interface Staged {
	data: string;
	database: string;
	etc: string;
	dovecot: string;
	applier: string;
}

export const stagedIn = (roots: Record<keyof Staged, string>): Staged => ({
	data: join(roots.data, 'data'),
	database: join(roots.database, 'database'),
	etc: join(roots.etc, 'etc'),
	dovecot: join(roots.dovecot, 'dovecot'),
	applier: join(roots.applier, 'applier')
});

export const stagedAt =
	(staged: Staged) =>
	(name: string): string => {
		const [place = '', ...rest] = name.split('/');
		if (name === 'data/applier.key') return join(staged.applier, basename(name));
		return join(staged[place as keyof Staged] ?? '', ...rest);
	};
