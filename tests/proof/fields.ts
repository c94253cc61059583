import type { PolicyInput } from '../../src/lib/server/policy/input.ts';

/** A text of the input that a person, or a database that is not trusted, may have written. */
export interface Field {
	name: string;
	get: (input: PolicyInput) => string;
	set: (input: PolicyInput, text: string) => void;
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : '');

type Items = 'sources' | 'pools' | 'domains' | 'dkimKeys' | 'senders' | 'mailboxes';

function of<Key extends Items>(list: Key, ...names: (keyof PolicyInput[Key][number] & string)[]): Field[] {
	return names.map((name) => ({
		name: `${list}.${name}`,
		get: (input) => textOf((input[list][0] as Record<string, unknown>)[name]),
		set: (input, text) => {
			(input[list][0] as Record<string, unknown>)[name] = text;
		}
	}));
}

function setting(name: keyof PolicyInput['settings'], inList = false): Field {
	return {
		name: `settings.${name}`,
		get: ({ settings }) => textOf(inList ? (settings[name] as string[])[0] : settings[name]),
		set: ({ settings }, text) => {
			(settings as Record<string, unknown>)[name] = inList ? [text] : text;
		}
	};
}

function inside(name: string, find: (input: PolicyInput) => Record<string, unknown>, key: string): Field {
	return { name, get: (input) => String(find(input)[key]), set: (input, text) => void (find(input)[key] = text) };
}

/** Every text of a PolicyInput. Ids are made by the panel; they stand here because the border must hold for them too. */
export const fields: Field[] = [
	setting('hostname'),
	setting('tlsName'),
	setting('defaultPool'),
	setting('campaignHeader'),
	setting('relayHosts', true),
	setting('relayHostsOverride', true),
	setting('monitorGlobs', true),
	inside('settings.logs.directory', ({ settings }) => settings.logs, 'directory'),
	inside('settings.spool.directory', ({ settings }) => settings.spool, 'directory'),
	inside('settings.listeners.address', ({ settings }) => settings.listeners?.[0] ?? {}, 'address'),
	inside('settings.httpApiVerifier.salt', ({ settings }) => settings.httpApiVerifier ?? {}, 'salt'),
	...of('sources', 'id', 'name', 'kumoName', 'address', 'ehloDomain'),
	...of('pools', 'id', 'name'),
	...of('domains', 'id', 'name', 'bounceHost', 'complaintAddress'),
	...of('dkimKeys', 'id', 'domainId', 'selector', 'privateKeyHash'),
	...of('senders', 'id', 'domainId', 'address', 'tenant', 'poolId'),
	inside('senders.verifier.salt', ({ senders }) => senders[0]?.verifier ?? {}, 'salt'),
	inside('senders.verifier.hash', ({ senders }) => senders[0]?.verifier ?? {}, 'hash'),
	...of('mailboxes', 'id', 'domainId', 'address'),
	inside('mailboxes.login.hash', ({ mailboxes }) => mailboxes.find(({ login }) => login)?.login ?? {}, 'hash'),
	inside('tombstones.senders.tenant', ({ tombstones }) => tombstones.senders[0] ?? {}, 'tenant'),
	inside('tombstones.senders.pool', ({ tombstones }) => tombstones.senders[0] ?? {}, 'pool'),
	{
		name: 'tombstones.pools',
		get: ({ tombstones }) => tombstones.pools[0] ?? '',
		set: ({ tombstones }, text) => {
			tombstones.pools[0] = text;
		}
	}
];
