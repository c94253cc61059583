import { settingWords } from './change-words.ts';
import { cachesFor, defaultListeners } from './node.ts';
import { secondBumpAfterMs } from './refresh.ts';
import type { Manifest } from './revision.ts';

type Listener = (typeof defaultListeners)[number];

/** What going from one revision to another means for the KumoMTA that runs. */
export interface Effects {
	/** `none`: both say the same. */
	refresh: 'none' | 'bump' | 'restart';
	/** Why KumoMTA is restarted; empty without a restart. */
	reasons: string[];
	/** Seconds until configuration is read once more, for pools and sources; null when one epoch is enough. */
	secondBumpAfterSeconds: number | null;
	listeners: { staying: Listener[]; starting: Listener[]; dropping: Listener[] };
	/** What one should know beside it. */
	notes: { code: string; text: string }[];
}

/** @param was null: nothing of ours was live, so KumoMTA starts with this policy. */
export function effectsOf(was: Manifest | null, is: Manifest): Effects {
	const refresh = was?.initHash !== is.initHash ? 'restart' : was.hash !== is.hash ? 'bump' : 'none';
	const isSecond = refresh === 'bump' && was?.sourcesHash !== is.sourcesHash;
	return {
		refresh,
		reasons: refresh === 'restart' ? restartReasons(was, is) : [],
		secondBumpAfterSeconds: isSecond ? secondBumpAfterMs / 1000 : null,
		listeners: listenersOf(was, is),
		notes: [...notesOf(was, is, refresh)]
	};
}

/** The settings that KumoMTA reads in `init` and `pre_init` only: node.ts `initPart`. */
function restartReasons(was: Manifest | null, is: Manifest): string[] {
	if (was === null) return ['KumoMTA runs no policy of this panel yet: listeners, spool and logs start with this one.'];
	const reasons: string[] = [];
	for (const name of ['hostname', 'tlsName', 'spool', 'logs', 'httpApi'] as const) {
		if (differs(was.settings[name], is.settings[name])) reasons.push(`${settingWords[name]?.[0] ?? name} changes.`);
	}
	if (differs(was.settings.listeners ?? defaultListeners, is.settings.listeners ?? defaultListeners))
		reasons.push('The listeners change.');
	if (differs(was.settings.relayHosts, is.settings.relayHosts)) reasons.push('The relay hosts change.');
	if (differs(was.settings.monitorGlobs, is.settings.monitorGlobs)) reasons.push('The watched files change.');
	if (programOf(was) !== programOf(is)) reasons.push('KumoMTA UI’s own program, program.lua, has another version.');
	if (cachesFor(was.counts.keys).dkim !== cachesFor(is.counts.keys).dkim)
		reasons.push('The number of DKIM keys needs caches of another size.');
	return reasons.length > 0 ? reasons : ['Something that KumoMTA reads at start only changes.'];
}

function listenersOf(was: Manifest | null, is: Manifest): Effects['listeners'] {
	const after = is.settings.listeners ?? defaultListeners;
	const before = was === null ? [] : (was.settings.listeners ?? defaultListeners);
	const has = (list: Listener[], { address, port, purpose }: Listener) =>
		list.some((each) => each.address === address && each.port === port && each.purpose === purpose);
	return {
		staying: after.filter((each) => has(before, each)),
		starting: after.filter((each) => !has(before, each)),
		dropping: before.filter((each) => !has(after, each))
	};
}

function* notesOf(
	was: Manifest | null,
	is: Manifest,
	refresh: Effects['refresh']
): Generator<Effects['notes'][number]> {
	if (refresh === 'none') return;
	if (refresh === 'restart') {
		yield {
			code: 'drains',
			text: 'Before it ends, KumoMTA finishes running sessions and deliveries for up to 300 seconds and takes no new connections meanwhile. Queued mail stays in the spool.'
		};
	} else {
		yield {
			code: 'connections-stay',
			text: 'Connections stay open. New Lua contexts run the new revision at once, those in use until their present work is done.'
		};
		yield {
			code: 'caches',
			text: 'An open SMTP session keeps what it was told about a domain’s rights; a password accepted over HTTP is remembered for up to 60 seconds.'
		};
	}
	const moved = movedSources(was, is);
	if (moved.length > 0 && was !== null) {
		yield {
			code: 'sources-anew',
			text: `${moved.join(', ')}: ready queues that run keep the source object they began with, so a changed source gets a new name inside KumoMTA. Mail that waits in such a queue leaves by the old address until that queue is empty.`
		};
	}
	if (was !== null && differs(fileOf(was, 'custom.lua'), fileOf(is, 'custom.lua'))) {
		yield {
			code: 'custom-lua',
			text: 'custom.lua differs. What it does inside KumoMTA’s init event takes effect at a restart only; its handlers do at once.'
		};
	}
}

/** Names of sources whose address or greeting differs, or that are gone. */
function movedSources(was: Manifest | null, is: Manifest): string[] {
	const after = new Set(is.sources.map(({ kumoName }) => kumoName));
	return (was?.sources ?? []).filter(({ kumoName }) => !after.has(kumoName)).map(({ name }) => name);
}

const differs = (a: unknown, b: unknown) => JSON.stringify(a) !== JSON.stringify(b);
const fileOf = ({ files }: Manifest, wanted: string) => files.find(({ path }) => path === wanted)?.sha256;
const programOf = (manifest: Manifest) => fileOf(manifest, 'program.lua');
