import { poolInWords, settingWords } from './change-words.ts';
import type { Change } from './changes.ts';
import { defaultListeners } from './node.ts';
import type { Manifest } from './revision.ts';

type Kind = Change['kind'];

/** Differences of everything but the directory: settings, sources, pools and the two Lua files. `was` null: all is new. */
export function nodeChanges(was: Manifest | null, is: Manifest): Change[] {
	const changes = [
		...settingChanges(was, is),
		...listChanges(was, is),
		...luaChanges(was, is),
		...sourceChanges(was, is),
		...poolChanges(was, is)
	];
	if (changes.length === 0 && was !== null && was.nodeHash !== is.nodeHash)
		changes.push(setting('changed', 'KumoMTA’s HTTP API', 'The credential for KumoMTA’s HTTP API changes'));
	return changes;
}

const setting = (kind: Kind, subject: string, text: string): Change => ({ scope: 'setting', kind, subject, text });

function* settingChanges(was: Manifest | null, is: Manifest): Generator<Change> {
	for (const [name, words] of Object.entries(settingWords)) {
		const [called, print] = words as [string, (value: unknown) => string];
		const after: unknown = is.settings[name as keyof typeof settingWords];
		if (was === null) {
			if (after !== null) yield setting('added', called, `${called}: ${print(after)}`);
			continue;
		}
		const before: unknown = was.settings[name as keyof typeof settingWords];
		if (JSON.stringify(before) !== JSON.stringify(after))
			yield {
				...setting('changed', called, `${called} becomes ${print(after)} (was ${print(before)})`),
				fields: [{ name: called, from: print(before), to: print(after) }]
			};
	}
}

/** Settings that are lists: what came and what went. */
function* listChanges(was: Manifest | null, is: Manifest): Generator<Change> {
	const listeners = (manifest: Manifest | null) =>
		manifest === null
			? []
			: (manifest.settings.listeners ?? defaultListeners).map(
					({ address, port, purpose }) => `${address} port ${port} for ${purpose}`
				);
	yield* difference(listeners(was), listeners(is), {
		subject: 'Listener',
		added: (each) => `KumoMTA listens on ${each}`,
		removed: (each) => `KumoMTA no longer listens on ${each}`
	});
	yield* difference(was?.settings.relayHosts ?? [], is.settings.relayHosts, {
		subject: 'Relay host',
		added: (each) => `${each} may send without a password`,
		removed: (each) => `${each} may no longer send without a password`
	});
	yield* difference(was?.settings.monitorGlobs ?? [], is.settings.monitorGlobs, {
		subject: 'Watched file',
		added: (each) => `KumoMTA watches ${each}`,
		removed: (each) => `KumoMTA no longer watches ${each}`
	});
}

function* difference(
	was: string[],
	is: string[],
	words: { subject: string; added: (each: string) => string; removed: (each: string) => string }
): Generator<Change> {
	const [before, after] = [new Set(was), new Set(is)];
	for (const each of after) if (!before.has(each)) yield setting('added', words.subject, words.added(each));
	for (const each of before) if (!after.has(each)) yield setting('removed', words.subject, words.removed(each));
}

function* luaChanges(was: Manifest | null, is: Manifest): Generator<Change> {
	const hashOf = (manifest: Manifest | null, path: string) =>
		manifest?.files.find((file) => file.path === path)?.sha256;
	const lua = (kind: Kind, subject: string, text: string): Change => ({ scope: 'program', kind, subject, text });
	if (was !== null && hashOf(was, 'program.lua') !== hashOf(is, 'program.lua'))
		yield lua('changed', 'program.lua', 'KumoMTA UI’s own program has a new version');
	const [before, after] = [hashOf(was, 'custom.lua'), hashOf(is, 'custom.lua')];
	if (before === after) return;
	if (before === undefined) yield lua('added', 'custom.lua', 'Your custom.lua is used');
	else if (after === undefined) yield lua('removed', 'custom.lua', 'Your custom.lua is no longer used');
	else yield lua('changed', 'custom.lua', 'Your custom.lua was edited');
}

function* sourceChanges(was: Manifest | null, is: Manifest): Generator<Change> {
	const before = new Map(was?.sources.map((source) => [source.id, source]));
	for (const { id, name, kumoName, address, ehloDomain } of is.sources) {
		const old = before.get(id);
		before.delete(id);
		const change = (kind: Kind, text: string): Change => ({ scope: 'source', kind, id, subject: name, text });
		if (old === undefined) yield change('added', `Source ${name} is new: ${address}, greets as ${ehloDomain}`);
		else if (old.kumoName !== kumoName)
			yield change(
				'changed',
				`Source ${name} becomes ${address}, greets as ${ehloDomain} (was ${old.name}: ${old.address}, ${old.ehloDomain})`
			);
	}
	for (const { id, name, address } of before.values())
		yield { scope: 'source', kind: 'removed', id, subject: name, text: `Source ${name} (${address}) is removed` };
}

function* poolChanges(was: Manifest | null, is: Manifest): Generator<Change> {
	const before = new Map(was?.pools.map((pool) => [pool.id, pool]));
	for (const pool of is.pools) {
		const old = before.get(pool.id);
		before.delete(pool.id);
		const after = poolInWords(pool, is.sources);
		const change = (kind: Kind, text: string): Change => ({
			scope: 'pool',
			kind,
			id: pool.id,
			subject: pool.name,
			text
		});
		if (old === undefined) {
			yield change('added', `Pool ${pool.name} is new: ${after}`);
			continue;
		}
		if (old.name !== pool.name) yield change('changed', `Pool ${old.name} is now called ${pool.name}`);
		const earlier = poolInWords(old, was?.sources ?? []);
		if (JSON.stringify(old.entries) !== JSON.stringify(pool.entries))
			yield change('changed', `Pool ${pool.name} becomes ${after} (was ${earlier})`);
	}
	for (const { id, name } of before.values())
		yield {
			scope: 'pool',
			kind: 'removed',
			id,
			subject: name,
			text: `Pool ${name} is removed; its waiting mail stays`
		};
	const kept = new Set(is.removedPools);
	for (const name of was?.removedPools ?? [])
		if (!kept.has(name) && !is.pools.some((pool) => pool.name === name))
			yield { scope: 'pool', kind: 'removed', subject: name, text: `Removed pool ${name} is forgotten` };
}
