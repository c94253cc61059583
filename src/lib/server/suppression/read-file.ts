import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { suppressionFormat } from '../core/suppression-format.ts';
import type { Host } from '../host/host.ts';

/** What a file says about itself. */
const about = z.object({
	/** Given when it was written; the panel's database remembers it. */
	id: z.string(),
	/** The number of the last change that it surely holds. */
	seq: z.coerce.number().int(),
	/** Of the base beside which a delta was written. */
	baseId: z.string().default(''),
	/** The reason to build that a base answers. */
	due: z.coerce.number().int().default(0),
	at: z.coerce.number().int(),
	tookMs: z.coerce.number().int().default(0),
	rows: z.coerce.number().int()
});
export type About = z.infer<typeof about>;

export type FileState = { kind: 'ok'; about: About; bytes: number } | { kind: 'absent' } | { kind: 'broken' };

/** Whether a file is one of ours and can be read, without reading its rows. Only `node:sqlite` ever opens such a file. */
export async function inspectFile(host: Host, path: string): Promise<FileState> {
	const state = await host.files.stat(path);
	if (state === undefined) return { kind: 'absent' };
	if (state.kind !== 'file') return { kind: 'broken' };
	try {
		return { kind: 'ok', about: readAbout(path), bytes: state.bytes };
	} catch {
		return { kind: 'broken' };
	}
}

function readAbout(path: string): About {
	const db = new DatabaseSync(path, { readOnly: true });
	try {
		const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
		if (version !== suppressionFormat.version) throw new Error('another format');
		db.prepare(`SELECT ${suppressionFormat.columns.join(', ')} FROM ${suppressionFormat.table} LIMIT 1`).get();
		const rows = db.prepare('SELECT key, value FROM about').all() as { key: string; value: string }[];
		return about.parse(Object.fromEntries(rows.map(({ key, value }) => [key, value])));
	} finally {
		db.close();
	}
}
