import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Host } from '../host/host.ts';
import type { PolicyRoots } from './roots.ts';

/** What KumoMTA reads now. `text` are the exact bytes, one character each (see `bytesOf`), so that they can be put back. */
export type Live =
	| { kind: 'absent' }
	| { kind: 'ours'; text: string; revision: string; number: number }
	/** Our first line, but the rest was changed by hand. */
	| { kind: 'edited'; text: string; revision: string; number: number }
	/** The sample that every package installs. */
	| { kind: 'packaged'; text: string; sha256: string }
	| { kind: 'foreign'; text: string; sha256: string };

const heading = /^-- kumomta-ui revision (([0-9]+)-[0-9a-f]{12})\n/;

/** The two lines of a live policy; nothing but the revision's name and its directory varies. */
export function initLines(roots: PolicyRoots, revision: string): string {
	const directory = join(roots.revisions, revision);
	if (!/^[A-Za-z0-9._/-]+$/.test(directory) || !/^[0-9]+-[0-9a-f]{12}$/.test(revision))
		throw new Error('The revision directory has a name that may not stand in Lua.');
	return (
		`-- kumomta-ui revision ${revision}\n` +
		`KUMOMTA_UI_REVISION_DIRECTORY = '${directory}' dofile(KUMOMTA_UI_REVISION_DIRECTORY .. '/program.lua')\n`
	);
}

export async function readLive(host: Host, roots: PolicyRoots): Promise<Live> {
	const text = await readLua(host, roots.init);
	if (text === undefined) return { kind: 'absent' };
	const ours = revisionIn(text);
	if (ours !== undefined) {
		const isExact = text === initLines(roots, ours.revision);
		return { kind: isExact ? 'ours' : 'edited', text, ...ours };
	}
	const packaged = await readLua(host, roots.packaged);
	return {
		kind: text === packaged ? 'packaged' : 'foreign',
		text,
		sha256: (await originalOf(host, roots, text)) ?? sha256(bytesOf(text))
	};
}

/** In a mirror, what is shown of a policy that is not ours lacks its secrets: its hash is that of the whole. */
async function originalOf(host: Host, roots: PolicyRoots, shown: string): Promise<string | undefined> {
	const [of, sha] = (await host.files.readText(roots.original, 1000))?.split(' ') ?? [];
	return of === sha256(bytesOf(shown)) ? sha : undefined;
}

/** Lua is bytes, in whatever encoding its author likes: read as UTF-8, some would be lost. One character a byte. */
export async function readLua(host: Host, path: string): Promise<string | undefined> {
	return (await host.files.readBytes(path))?.toString('latin1');
}

export const bytesOf = (lua: string): Buffer => Buffer.from(lua, 'latin1');

/** The bytes of init.lua; undefined when there is none. */
export const textOf = (live: Live): string | undefined => (live.kind === 'absent' ? undefined : live.text);

/** The revision that two such lines name. */
export function revisionIn(text: string | undefined): { revision: string; number: number } | undefined {
	const found = heading.exec(text ?? '');
	return found?.[1] === undefined ? undefined : { revision: found[1], number: Number(found[2]) };
}

/** The revisions that init.lua and init.lua.previous name: they are never removed. */
export async function revisionsInUse(host: Host, roots: PolicyRoots): Promise<Set<string>> {
	const texts = [await readLua(host, roots.init), await readLua(host, roots.previous)];
	return new Set(texts.flatMap((text) => revisionIn(text)?.revision ?? []));
}

export function sha256(text: string | Uint8Array): string {
	return createHash('sha256').update(text).digest('hex');
}
