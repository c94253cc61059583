import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@libsql/client';
import { z } from 'zod';
import { openClient } from '../core/open-client.ts';
import { openKeys } from '../core/key-files.ts';
import { readJournal } from '../core/migrations.ts';
import type { Secret } from '../core/secret.ts';
import { SealError } from '../core/secret.ts';
import type { Manifest } from './archive.ts';
import { damaged, refused } from './damage.ts';

/** What was found good, in words; what could not be looked at says so. */
export type Findings = string[];

/**
 * Looks at an unpacked backup as its next owner would: the database opens and is whole, is not newer than this program,
 * its keys open what it sealed, and the files of each revision have the hashes that the revision says.
 */
export async function examine(
	staged: { data: string; database: string; etc: string },
	manifest: Manifest
): Promise<Findings> {
	return [...(await examineDatabase(staged, manifest)), ...examineRevisions(join(staged.etc, 'policy/revisions'))];
}

async function examineDatabase(staged: { data: string; database: string }, manifest: Manifest): Promise<Findings> {
	const path = join(staged.database, 'panel.db');
	if (!existsSync(path)) return ['No database is in it: the panel kept its data on a libSQL server.'];
	assertNotNewer(manifest);
	const client = await openClient(`file:${path}`, {});
	try {
		const { rows } = await client.execute('PRAGMA integrity_check');
		if (rows[0]?.[0] !== 'ok') throw damaged('its database is not whole');
		const { rows: broken } = await client.execute('PRAGMA foreign_key_check');
		if (broken.length > 0) throw damaged('rows of its database refer to rows that do not exist');
		const keys = await examineKeys(client, staged.data, manifest);
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

const sealedRow = z.tuple([z.string(), z.string(), z.string(), z.string()]);

async function examineKeys(client: Client, dataDir: string, { withKeys }: Manifest): Promise<Findings> {
	if (!withKeys) return ['No keys are in it: sealed values can be opened only with the key files kept elsewhere.'];
	if (!existsSync(join(dataDir, 'secret.key')) || !existsSync(join(dataDir, 'applier.key')))
		throw damaged('its key files are missing');
	const keys = openKeys(dataDir);
	const { rows } = await client.execute(
		'SELECT sealed_private_key, domains.name, selector, private_key_hash FROM dkim_keys JOIN domains ON domains.id = domain_id LIMIT 1'
	);
	const row = rows[0] && sealedRow.parse([...Array(4).keys()].map((index) => rows[0]?.[index]));
	if (row === undefined) return ['The key files are sound; the database has no sealed DKIM key to try them on.'];
	try {
		const purpose = `dkim:${row[1]}:${row[2]}`;
		const text = keys.applier.open(row[0], purpose);
		if (hashOf(text) !== row[3]) throw damaged('a DKIM key in its database is not the one it should be');
	} catch (error) {
		if (!(error instanceof SealError)) throw error;
		throw refused('keys-differ', 'The key files in the backup do not open its DKIM keys.', 'Take another backup.');
	}
	return ['The key files open a sealed DKIM key.'];
}

const hashOf = (text: Secret) => createHash('sha256').update(text.open()).digest('hex');

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
