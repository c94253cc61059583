/** Something that a policy of KumoMTA says in so many words. */
export interface Construct {
	code:
		| 'listener'
		| 'relay-host'
		| 'http-listener'
		| 'hostname'
		| 'tls'
		| 'spool'
		| 'logs'
		| 'source'
		| 'source-ehlo'
		| 'pool'
		| 'dkim-domain'
		| 'event'
		| 'helper'
		| 'other-file';
	/** From 1. */
	line: number;
	value: string;
}

/** Values have alphabets so narrow that a secret does not pass by accident. */
const address = String.raw`[0-9A-Fa-f.:\[\]]{2,45}`;
const path = String.raw`\/[A-Za-z0-9._/{}-]{1,200}`;
const domain = String.raw`[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})+`;
const name = String.raw`[A-Za-z0-9._-]{1,60}`;

interface Field {
	code: Construct['code'];
	field: string;
	shape: string;
}

/** KumoMTA's own functions, and the fields of their table that say what we look for. */
const calls: Record<string, Field[]> = {
	start_esmtp_listener: [
		{ code: 'listener', field: 'listen', shape: String.raw`${address}:\d{1,5}` },
		{ code: 'hostname', field: 'hostname', shape: domain },
		{ code: 'tls', field: 'tls_certificate', shape: path }
	],
	start_http_listener: [{ code: 'http-listener', field: 'listen', shape: String.raw`${address}:\d{1,5}` }],
	define_spool: [{ code: 'spool', field: 'path', shape: path }],
	configure_local_logs: [{ code: 'logs', field: 'log_dir', shape: path }],
	make_egress_source: [
		{ code: 'source', field: 'source_address', shape: address },
		{ code: 'source-ehlo', field: 'ehlo_domain', shape: domain }
	],
	make_egress_pool: [{ code: 'pool', field: 'name', shape: name }],
	rsa_sha256_signer: [{ code: 'dkim-domain', field: 'domain', shape: domain }],
	ed25519_signer: [{ code: 'dkim-domain', field: 'domain', shape: domain }]
};

const mostConstructs = 300;

/**
 * What a policy says, in the order of its lines, each thing once. It is read as text: a value that is computed, or stands
 * in another file, is not found.
 */
export function recognise(text: string): Construct[] {
	const lua = withoutComments(text);
	const found: Construct[] = [];
	const add = (code: Construct['code'], at: number, value: string) => {
		if (found.length >= mostConstructs || found.some((each) => each.code === code && each.value === value)) return;
		found.push({ code, line: lua.slice(0, at).split('\n').length, value });
	};
	for (const [call, fields] of Object.entries(calls)) {
		for (const { index } of lua.matchAll(new RegExp(String.raw`\b${call}\s*\(?\s*\{`, 'g'))) {
			const table = tableAt(lua, index);
			for (const { code, field, shape } of fields) {
				const value = new RegExp(String.raw`\b${field}\s*=\s*['"](${shape})['"]`).exec(table);
				if (value?.[1] !== undefined) add(code, index + value.index, value[1]);
			}
			if (call === 'start_esmtp_listener') relayHosts(table, (at, value) => add('relay-host', index + at, value));
		}
	}
	for (const { index, 1: event = '' } of lua.matchAll(/\bkumo\.on\s*\(?\s*['"]([A-Za-z0-9_.-]{1,60})['"]/g))
		add('event', index, event);
	for (const { index, 1: file = '' } of lua.matchAll(/\brequire\s*\(?\s*['"]([A-Za-z0-9._/-]{1,100})['"]/g)) {
		if (file.startsWith('policy-extras.')) add('helper', index, file);
		else if (file !== 'kumo') add('other-file', index, file);
	}
	for (const { index, 1: file = '' } of lua.matchAll(/\bdofile\s*\(?\s*['"]([A-Za-z0-9._/-]{1,200})['"]/g))
		add('other-file', index, file);
	return found.sort((a, b) => a.line - b.line);
}

function relayHosts(table: string, add: (at: number, value: string) => void): void {
	const list = /\brelay_hosts\s*=\s*\{([^}]*)\}/.exec(table);
	if (list === null) return;
	for (const { index, 1: host = '' } of (list[1] ?? '').matchAll(/['"]([0-9A-Fa-f.:]{2,45}(?:\/\d{1,3})?)['"]/g))
		add(list.index + list[0].indexOf('{') + index, host);
}

/** From the first brace after `start` to the one that closes it; at most 20,000 characters. */
function tableAt(lua: string, start: number): string {
	let depth = 0;
	const end = Math.min(lua.length, start + 20_000);
	for (let at = start; at < end; at++) {
		if (lua[at] === '{') depth++;
		else if (lua[at] === '}' && --depth === 0) return lua.slice(start, at + 1);
	}
	return lua.slice(start, end);
}

/** Comments become blanks, so that places stay; what stands in quotes stays. */
function withoutComments(text: string): string {
	return text.replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|--\[(=*)\[[\s\S]*?\]\1\]|--[^\n]*/g, (match) =>
		match.startsWith('--') ? match.replaceAll(/[^\n]/g, ' ') : match
	);
}
