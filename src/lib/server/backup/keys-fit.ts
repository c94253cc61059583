import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openApplier } from '../core/key-files.ts';
import { openClient } from '../core/open-client.ts';
import type { Manifest } from './archive.ts';
import { refused } from './damage.ts';
import { findSealedKey, opensSealedKey } from './sealed-key.ts';
import type { Findings } from './rehearse.ts';

/**
 * A backup without keys is good only with the keys that its database was sealed to: with others, or with new ones that a
 * start would make, every DKIM key in it is lost.
 * @throws UserError keys-missing, keys-differ
 */
export async function assertKeysFit(
	{ withKeys, migration }: Manifest,
	database: string,
	applierKey: string
): Promise<Findings> {
	if (withKeys || migration === null) return [];
	if (!existsSync(applierKey))
		throw refused(
			'keys-missing',
			'The backup was made without the key files, and there are none here: its DKIM keys could not be opened.',
			`Put secret.key and applier.key (mode 600) back first; applier.key belongs at ${applierKey}.`
		);
	const client = await openClient(`file:${join(database, 'panel.db')}`, {});
	try {
		const row = await findSealedKey(client);
		if (row === undefined)
			return ['Whether the key files here are those of the backup cannot be told: no DKIM key is sealed in it.'];
		if (opensSealedKey(openApplier(applierKey), row))
			return ['The key files that are here open a sealed DKIM key of it.'];
		throw refused(
			'keys-differ',
			`The backup was made without the key files, and ${applierKey} is another panel's: it opens no DKIM key of this backup.`,
			'Put the key files of the panel that made it in place first, or restore a backup that holds its keys.'
		);
	} finally {
		await client.execute('PRAGMA journal_mode = DELETE');
		client.close();
	}
}
