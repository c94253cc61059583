import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { App } from '../app.ts';
import { dovecotRoots, isOurConf } from '../dovecot/service.ts';
import { keyFilesOf } from './places.ts';

export interface Part {
	/** Its name in the archive. */
	name: string;
	from: string;
}

export interface Collected {
	parts: Part[];
	/** The revision that KumoMTA runs, by the name of its directory. */
	liveRevision: string | null;
	/** What lies in these places and has no name that an archive takes. */
	leftOut: string[];
}

const plainName = /^(?!\.{1,2}$)[A-Za-z0-9._@+-]+$/;
const revisionName = /^(\d+)-[0-9a-f]{12}$/;

/** Files beside the database that make the panel and its policy whole again. `withKeys` adds what must stay secret. */
export async function collectFiles(app: App, withKeys: boolean): Promise<Collected> {
	const { systemRoot, dovecotEtc } = app.env;
	const etc = join(systemRoot, 'etc');
	const leftOut: string[] = [];
	const tree = (directory: string) => filesBelow(app, join(etc, directory), `etc/${directory}`, leftOut);
	const { names, live } = await revisionsToKeep(app, join(etc, 'policy'));
	const single = ['init.lua', 'init.lua.previous', 'init.lua.before-kumomta-ui', 'custom.lua'].map((name) => ({
		name: `etc/policy/${name}`,
		from: join(etc, 'policy', name)
	}));
	const keys = Object.entries(keyFilesOf(app.env)).map(([name, from]) => ({ name: `data/${name}`, from }));
	const parts = [
		...(withKeys ? keys : []),
		...(withKeys ? await tree('dkim') : []),
		...(await Promise.all(names.map((name) => tree(`policy/revisions/${name}`)))).flat(),
		...single,
		...(await dovecotFiles(app, dovecotEtc, leftOut))
	];
	return { parts: await present(app, parts), liveRevision: live, leftOut };
}

/** Dovecot's files that the panel made, the passwd-files among them, and the distribution's that it put aside. */
async function dovecotFiles(app: App, directory: string, leftOut: string[]): Promise<Part[]> {
	const { conf, previous, before, revisions } = dovecotRoots(directory);
	if (!isOurConf(await app.host.files.readText(conf))) return [];
	const staged = await filesBelow(app, revisions, `dovecot/${basename(revisions)}`, leftOut);
	return [...[conf, previous, before].map((from) => ({ name: `dovecot/${basename(from)}`, from })), ...staged];
}

async function present(app: App, parts: Part[]): Promise<Part[]> {
	const found: Part[] = [];
	for (const part of parts) if ((await app.host.files.stat(part.from))?.kind === 'file') found.push(part);
	return found;
}

/** The live one, the one before it, and the newest. */
async function revisionsToKeep(app: App, policy: string): Promise<{ names: string[]; live: string | null }> {
	const all = (await app.host.files.list(join(policy, 'revisions'))).filter((name) => revisionName.test(name));
	const newest = all.toSorted((a, b) => Number.parseInt(b) - Number.parseInt(a))[0];
	const [live, previous] = await Promise.all([
		revisionIn(join(policy, 'init.lua'), all),
		revisionIn(join(policy, 'init.lua.previous'), all)
	]);
	const names = [live, previous, newest].filter((name) => name !== undefined);
	return { names: [...new Set(names)], live: live ?? null };
}

async function revisionIn(path: string, known: string[]): Promise<string | undefined> {
	const text = await readFile(path, 'utf8').catch(() => '');
	const name = /\/revisions\/(\d+-[0-9a-f]{12})\//.exec(text)?.[1];
	return name !== undefined && known.includes(name) ? name : undefined;
}

async function filesBelow(app: App, directory: string, name: string, leftOut: string[]): Promise<Part[]> {
	const parts: Part[] = [];
	if ((await app.host.files.stat(directory))?.kind !== 'directory') return parts;
	for (const each of await app.host.files.list(directory)) {
		const from = join(directory, each);
		const kind = (await app.host.files.stat(from))?.kind;
		if (!plainName.test(each) || kind === 'link' || kind === 'other') leftOut.push(from);
		else if (kind === 'directory') parts.push(...(await filesBelow(app, from, `${name}/${each}`, leftOut)));
		else if (kind === 'file') parts.push({ name: `${name}/${each}`, from });
	}
	return parts;
}
