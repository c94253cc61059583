import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parse } from 'smol-toml';
import { z } from 'zod';
import { start } from '../lua/session.ts';
import { openPolicy, PolicyLoadError } from '../lua/vm.ts';
import { readManifest } from '../revision.ts';
import type { DirectoryTable } from '../rows.ts';
import type { Opened } from './message.ts';

const node = z.object({ dkim_root: z.string(), suppression_root: z.string().optional() });

export interface OpenedRevision extends Opened {
	/** Whether the suppression lists, which no revision holds, can be read from now on; at first they can not. */
	readLists: (may: boolean) => void;
	close: () => void;
}

/**
 * Opens a revision's directory for simulations. Nothing outside it is read but the suppression lists: DKIM keys that it names count as there, since
 * an apply writes them; whatever else custom.lua reaches for is absent.
 * @throws PolicyLoadError when a file cannot be read, and Error too when the program, or custom.lua, does not start.
 */
export async function openRevision(directory: string): Promise<OpenedRevision> {
	const { manifest, dkimRoot, listRoot, database } = readFiles(directory);
	let mayReadLists = false;
	const lookUp = (table: DirectoryTable, key: string): Record<string, unknown> | undefined => {
		const row = database.prepare(`SELECT value FROM ${table} WHERE key = ?`).get(key);
		return row === undefined ? undefined : (JSON.parse(String(row.value)) as Record<string, unknown>);
	};
	const isKey = (path: string) =>
		path.startsWith(`${dkimRoot}/`) &&
		lookUp('dkim_key', path.slice(dkimRoot.length + 1).replace(/\.key$/, '')) !== undefined;
	try {
		const isList = (path: string) => mayReadLists && listRoot !== undefined && path.startsWith(`${listRoot}/`);
		const hasFile = (path: string) => (path.startsWith(`${directory}/`) || isList(path) ? undefined : isKey(path));
		const policy = await openPolicy(directory, { hasFile }, { maxMemoryMb: 128 });
		start(policy);
		const close = () => {
			policy.close();
			database.close();
		};
		return { policy, manifest, lookUp, close, readLists: (may) => (mayReadLists = may) };
	} catch (error) {
		database.close();
		throw error;
	}
}

/** What a damaged file holds is kept out of the error: it may be a verifier. */
function readFiles(directory: string) {
	try {
		const manifest = readManifest(directory);
		const { dkim_root: dkimRoot, suppression_root: listRoot } = node.parse(
			parse(readFileSync(join(directory, 'node.toml'), 'utf8'))
		);
		const database = new DatabaseSync(join(directory, 'directory.sqlite'), { readOnly: true });
		return { manifest, dkimRoot, listRoot, database };
	} catch {
		throw new PolicyLoadError('node.toml, directory.sqlite or manifest.json cannot be read');
	}
}
