import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parse } from 'smol-toml';
import { z } from 'zod';
import { start } from '../lua/session.ts';
import { openPolicy } from '../lua/vm.ts';
import { readManifest } from '../revision.ts';
import type { DirectoryTable } from '../rows.ts';
import type { Opened } from './message.ts';

const node = z.object({ dkim_root: z.string() });

/**
 * Opens a revision's directory for simulations. Nothing outside it is read: DKIM keys that it names count as there, since
 * an apply writes them; whatever else custom.lua reaches for is absent.
 * @throws PolicyLoadError and Error when the program, or custom.lua, does not start.
 */
export async function openRevision(directory: string): Promise<Opened & { close: () => void }> {
	const manifest = readManifest(directory);
	const database = new DatabaseSync(join(directory, 'directory.sqlite'), { readOnly: true });
	const { dkim_root: dkimRoot } = node.parse(parse(readFileSync(join(directory, 'node.toml'), 'utf8')));
	const lookUp = (table: DirectoryTable, key: string): Record<string, unknown> | undefined => {
		const row = database.prepare(`SELECT value FROM ${table} WHERE key = ?`).get(key);
		return row === undefined ? undefined : (JSON.parse(String(row.value)) as Record<string, unknown>);
	};
	const isKey = (path: string) =>
		path.startsWith(`${dkimRoot}/`) &&
		lookUp('dkim_key', path.slice(dkimRoot.length + 1).replace(/\.key$/, '')) !== undefined;
	try {
		const hasFile = (path: string) => (path.startsWith(`${directory}/`) ? undefined : isKey(path));
		const policy = await openPolicy(directory, { hasFile }, { maxMemoryMb: 128 });
		start(policy);
		const close = () => {
			policy.close();
			database.close();
		};
		return { policy, manifest, lookUp, close };
	} catch (error) {
		database.close();
		throw error;
	}
}
