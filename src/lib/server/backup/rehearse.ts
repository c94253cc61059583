import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@libsql/client';
import { z } from 'zod';
import { openClient } from '../core/open-client.ts';
import { openApplier, openPanelKey } from '../core/key-files.ts';
import { readJournal } from '../core/migrations.ts';
import type { Manifest } from './archive.ts';
import { damaged, refused } from './damage.ts';
import { stagedAt } from './places.ts';
import type { Staged } from './places.ts';
import { findSealedKey, opensSealedKey } from './sealed-key.ts';

/** What was found good, in words; what could not be looked at says so. */
export type Findings = string[];

/**
 * Looks at an unpacked backup as its next owner would: the database opens and is whole, is not newer than this program,
 * its keys open what it sealed, and the files of each revision have the hashes that the revision says.
 */
export async function examine(staged: Staged, manifest: Manifest): Promise<Findings> {
	return [...(await examineDatabase(staged, manifest)), ...examineRevisions(join(staged.etc, 'policy/revisions'))];
}

async function examineDatabase(staged: Staged, manifest: Manifest): Promise<Findings> {
	const path = join(staged.database, 'panel.db');
	if (!existsSync(path)) return ['No database is in it: the panel kept its data on a libSQL server.'];
	assertNotNewer(manifest);
	const client = await openClient(`file:${path}`, {});
	try {
		const { rows } = await client.execute('PRAGMA integrity_check');
		if (rows[0]?.[0] !== 'ok') throw damaged('its database is not whole');
		const { rows: broken } = await client.execute('PRAGMA foreign_key_check');
		if (broken.length > 0) throw damaged('rows of its database refer to rows that do not exist');
		const keys = await examineKeys(client, staged, manifest);
		await client.execute('PRAGMA journal_mode = DELETE');
		return ['The database opens and is whole.', ...keys];
	} finally {
		client.close();
	}
}

function assertNotNewer({ migration }: Manifest): void {
	if (migration === null || migration <= (readJournal().at(-1)?.when ?? 0)) return;
	throw refused(
		'database-newer',
		'The backup was made by a newer version of KumoMTA UI.',
		'Install that version or a newer one, then restore.'
	);
}

async function examineKeys(client: Client, staged: Staged, { withKeys }: Manifest): Promise<Findings> {
	if (!withKeys) return ['No keys are in it: sealed values can be opened only with the key files kept elsewhere.'];
	const [secretKey, applierKey] = ['data/secret.key', 'data/applier.key'].map(stagedAt(staged)) as [string, string];
	if (!existsSync(secretKey) || !existsSync(applierKey)) throw damaged('its key files are missing');
	openPanelKey(secretKey);
	const key = openApplier(applierKey);
	const row = await findSealedKey(client);
	if (row === undefined) return ['The key files are sound; the database has no sealed DKIM key to try them on.'];
	if (!opensSealedKey(key, row))
		throw refused('keys-differ', 'The key files in the backup do not open its DKIM keys.', 'Take another backup.');
	return ['The key files open a sealed DKIM key.'];
}

const revisionManifest = z.object({
	files: z.array(z.object({ path: z.string().regex(/^[A-Za-z0-9._-]+$/), sha256: z.string() }))
});

/** A revision's own manifest names its files with their hashes. */
function examineRevisions(directory: string): Findings {
	if (!existsSync(directory)) return ['No revision is in it: the policy was never applied.'];
	const names = readdirSync(directory);
	for (const name of names) assertRevision(join(directory, name), name);
	return [`${names.length} ${names.length === 1 ? 'revision has' : 'revisions have'} the files they should have.`];
}

function assertRevision(path: string, name: string): void {
	const { files } = revisionManifest.parse(JSON.parse(readFileSync(join(path, 'manifest.json'), 'utf8')));
	for (const { path: file, sha256 } of files)
		if (
			createHash('sha256')
				.update(readFileSync(join(path, file)))
				.digest('hex') !== sha256
		)
			throw damaged(`${file} of revision ${name} is not what its manifest says`);
}
