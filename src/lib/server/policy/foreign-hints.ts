import { recognise } from './foreign-constructs.ts';
import type { Construct } from './foreign-constructs.ts';
import { defaultListeners } from './node.ts';
import type { Manifest } from './revision.ts';

/** What one construct of a foreign policy does, and whether the panel's policy does it too. */
export interface Hint {
	code: Construct['code'];
	/** From 1, in their init.lua. */
	line: number;
	/** What theirs does. */
	theirs: string;
	/** `same`: ours too. `missing`: not yet, `href` leads to where it is set. `note`: there is nothing to compare. */
	verdict: 'same' | 'missing' | 'note';
	ours: string;
	/** A page of the panel; null: no page sets it. */
	href: string | null;
}

export interface Ours extends Pick<Manifest, 'settings' | 'sources' | 'pools'> {
	hasDomain: (name: string) => boolean;
}

type Answer = Omit<Hint, 'code' | 'line'>;
const same = (theirs: string, ours = 'Ours too.'): Answer => ({ theirs, verdict: 'same', ours, href: null });
const missing = (theirs: string, ours: string, href: string): Answer => ({ theirs, verdict: 'missing', ours, href });
const note = (theirs: string, ours: string, href: string | null = null): Answer => ({
	theirs,
	verdict: 'note',
	ours,
	href
});

/**
 * Reads a foreign policy as text and sets each construct it knows beside what ours would do. Nothing of it is run.
 * @param shown the same lines, masked: a hint quotes nothing that they hide, but for names that everybody's policy has.
 */
export function hintsFor(lines: string[], shown: string[], ours: Ours): Hint[] {
	const mayQuote = ({ code, line, value }: Construct) =>
		(shown[line - 1] ?? '').includes(value) ||
		(code === 'event' && Object.hasOwn(events, value)) ||
		(code === 'helper' && Object.hasOwn(helpers, value));
	return recognise(lines.join('\n'))
		.filter(mayQuote)
		.map(({ code, line, value }) => ({ code, line, ...rules[code](value, ours) }));
}

const rules: Record<Construct['code'], (value: string, ours: Ours) => Answer> = {
	listener(value, { settings }) {
		const theirs = `Theirs listens on ${value}.`;
		const [address, port] = splitAddress(value);
		const listeners = settings.listeners ?? defaultListeners;
		const own = listeners.find((each) => each.port === port && covers(each.address, address));
		if (own !== undefined) return same(theirs, `Ours too, for ${own.purpose} mail.`);
		return missing(
			theirs,
			'Ours doesn’t: add the listener in Settings, or clients find nobody there.',
			'/settings#listeners'
		);
	},
	'relay-host'(value, { settings }) {
		const theirs = `Theirs lets ${value} send without a password.`;
		if (settings.relayHosts.some((each) => withPrefix(each) === withPrefix(value))) return same(theirs);
		return missing(theirs, 'Ours doesn’t: add it to the relay hosts, with a relay listener.', '/settings#relay-hosts');
	},
	'http-listener'(value) {
		const theirs = `Theirs offers KumoMTA’s HTTP API on ${value}.`;
		if (value === '127.0.0.1:8000') return same(theirs);
		return note(
			theirs,
			'Ours offers it on 127.0.0.1:8000 only: programs on other machines use SMTP.',
			'/settings#http-api'
		);
	},
	hostname(value, { settings }) {
		const theirs = `Theirs greets as ${value}.`;
		if (settings.hostname === value.toLowerCase()) return same(theirs);
		return missing(
			theirs,
			`Ours greets as ${settings.hostname ?? 'nothing yet'}: set the host name.`,
			'/settings#hostname'
		);
	},
	spool(value, { settings: { spool } }) {
		const theirs = `Theirs keeps mail in ${value}.`;
		if (value === spool.directory || value.startsWith(`${spool.directory.replace(/\/+$/, '')}/`))
			return same(theirs, 'Ours too: mail that waits there is found again.');
		return missing(
			theirs,
			`Ours keeps it below ${spool.directory}: mail that waits in theirs is not sent until the directory is set, or theirs is drained first.`,
			'/settings#spool'
		);
	},
	logs(value, { settings: { logs } }) {
		const theirs = `Theirs writes its log to ${value}.`;
		if (value.replace(/\/+$/, '') === logs.directory.replace(/\/+$/, '')) return same(theirs);
		return missing(
			theirs,
			`Ours writes to ${logs.directory}: programs that read the log need the new place.`,
			'/settings#spool'
		);
	},
	source(value, { sources }) {
		const theirs = `Theirs sends from ${value}.`;
		const own = sources.find(({ address }) => address === value);
		if (own !== undefined) return same(theirs, `Ours too: source ${own.name}.`);
		return missing(theirs, 'Ours has no such source: add it, or its reputation goes unused.', '/sources?new');
	},
	'source-ehlo'(value, { sources }) {
		const theirs = `A source of theirs greets as ${value}.`;
		if (sources.some(({ ehloDomain }) => ehloDomain === value.toLowerCase())) return same(theirs);
		return missing(theirs, 'No source of ours does: enter it as the EHLO name of the source.', '/sources');
	},
	pool(value, { pools }) {
		const theirs = `Theirs has a pool ${value}.`;
		if (pools.some(({ name }) => name === value)) return same(theirs);
		return missing(theirs, 'Ours has none of that name: mail that waits for it takes the default pool.', '/pools');
	},
	'dkim-domain'(value, { hasDomain }) {
		const theirs = `Theirs signs mail of ${value}.`;
		if (hasDomain(value.toLowerCase())) return same(theirs, 'Ours too, with the keys of the domain.');
		return missing(theirs, 'Ours knows no such domain: add it and import its key.', '/domains?new');
	},
	tls(value, { settings: { tlsName } }) {
		const theirs = `Theirs uses the certificate ${value}.`;
		if (tlsName === null)
			return missing(theirs, 'Ours makes a self-signed one until a certificate is chosen.', '/settings#hostname');
		return note(theirs, `Ours uses the certificate ${tlsName} of etc/tls.`, '/settings#hostname');
	},
	event(value) {
		const [ours, href] = (Object.hasOwn(events, value) ? events[value] : undefined) ?? [
			'Its own events belong into custom.lua.',
			null
		];
		return note(`Theirs handles the event ${value}.`, ours, href);
	},
	helper(value) {
		const ours = Object.hasOwn(helpers, value) ? helpers[value] : undefined;
		return note(`Theirs uses ${value}.`, ours ?? 'What it reads from other files was not looked at.');
	},
	'other-file'(value) {
		return note(`Theirs loads ${value}.`, 'That file was not looked at: what it does is not among these hints.');
	}
};

const events: Record<string, [ours: string, href: string | null]> = {
	init: ['Ours does, from Settings.', '/settings'],
	smtp_server_auth_plain: ['Ours does: every sender has a password of its own. Theirs stop working.', '/senders'],
	http_server_validate_auth_basic: ['Ours does: senders and the panel’s credential. Theirs stop working.', '/senders'],
	get_listener_domain: ['Ours does: sending domains and their bounce hosts.', '/domains'],
	get_queue_config: [
		'Ours does, from the limits of each sender; more belongs into queue_config of custom.lua.',
		'/senders'
	],
	get_egress_path_config: ['Ours uses KumoMTA’s shaping helper; more belongs into path_config of custom.lua.', null],
	get_egress_pool: ['Ours does.', '/pools'],
	get_egress_source: ['Ours does.', '/sources'],
	smtp_server_message_received: ['Ours does; more belongs into on_message of custom.lua.', null],
	http_message_generated: ['Ours does; more belongs into on_message of custom.lua.', null]
};

const helpers: Record<string, string> = {
	'policy-extras.shaping': 'Ours too. Its own shaping files are not taken over.',
	'policy-extras.sources': 'Sources and pools stand in a file of theirs that was not looked at: add them here.',
	'policy-extras.queue': 'Tenants and limits stand in a file of theirs that was not looked at: senders have them here.',
	'policy-extras.dkim_sign':
		'Signers stand in a file of theirs that was not looked at: import the keys of each domain.',
	'policy-extras.listener_domains': 'Domains stand in a file of theirs that was not looked at: add them here.',
	'policy-extras.log_hooks': 'Hooks of the log belong into custom.lua.'
};

function splitAddress(value: string): [address: string, port: number] {
	const at = value.lastIndexOf(':');
	return [value.slice(0, at).replace(/^\[|\]$/g, ''), Number(value.slice(at + 1))];
}

const covers = (own: string, theirs: string) =>
	own === theirs || own === '::' || (own === '0.0.0.0' && !theirs.includes(':'));

const withPrefix = (network: string) =>
	network.includes('/') ? network : `${network}/${network.includes(':') ? 128 : 32}`;
