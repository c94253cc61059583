import fc from 'fast-check';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parse, stringify } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../../../tests/support/app.ts';
import { domainName, estateId, estateInput } from '../../../../tests/support/estate.ts';
import { openBuild } from './build-revision.ts';
import type { BuildRequest, BuiltRevision } from './build-revision.ts';
import { listChanges } from './changes.ts';
import { readDirectory, writeDirectory } from './directory.ts';
import { policyInput, policySender } from './input.ts';
import type { PolicyInput } from './input.ts';
import { nodeToml } from './node.ts';
import { sendersInOrder } from './order.ts';
import { previewFiles } from './preview.ts';
import { readRevisionHead, readRevisionSenders } from './revision.ts';
import { directoryTables, limitOf, throttleSpec } from './rows.ts';

const roots = {
	policy: '/etc/k/policy',
	dkim: '/etc/k/dkim',
	tls: '/etc/k/tls',
	mail: '/var/mail/k',
	share: '/usr/share/k'
};
const program = Buffer.from('-- the program, nothing else\n');
const request: BuildRequest = { program, customLua: null, roots, facts: {}, now: 0, live: null, dropping: [] };

/** What must never pass as a name, nor hurt where free text is allowed. */
const nasty = [
	'a\nb',
	'a\r\n[http]\nmode="trusted"',
	'a"b',
	"a'b",
	'a\\b',
	'a\0b',
	'../../etc/passwd',
	'a/../b',
	'\u202egnp.exe',
	'a\u2028b',
	']]..os.execute("x")--[[',
	'${x}',
	'%s',
	'é',
	'x'.repeat(5000)
];
const anyText = fc.oneof(
	fc.constantFrom(...nasty),
	fc.string({ unit: 'binary', maxLength: 300 }),
	fc.string({ maxLength: 80 })
);

function build(input: PolicyInput, changes: Partial<BuildRequest> = {}): BuiltRevision & { directory: string } {
	const directory = join(temporaryDirectory(), 'revision');
	mkdirSync(directory);
	const making = openBuild(directory, input, { ...request, ...changes });
	for (const sender of sendersInOrder(input)) making.sender(sender);
	return { ...making.finish([]), directory };
}

const estate = () => estateInput({ domains: 4, senders: 12 });

describe('hostile text', () => {
	const fields: [name: string, set: (input: PolicyInput, text: string) => void][] = [
		['hostname', (input, text) => (input.settings.hostname = text)],
		['default pool', (input, text) => (input.settings.defaultPool = text)],
		['campaign header', (input, text) => (input.settings.campaignHeader = text)],
		['TLS name', (input, text) => (input.settings.tlsName = text)],
		['relay host', (input, text) => (input.settings.relayHosts = [text])],
		['glob', (input, text) => (input.settings.monitorGlobs = [text])],
		['spool', (input, text) => (input.settings.spool.directory = text)],
		['logs', (input, text) => (input.settings.logs.directory = text)],
		['source name', (input, text) => (input.sources[0]!.name = text)],
		['source address', (input, text) => (input.sources[0]!.address = text)],
		['EHLO', (input, text) => (input.sources[0]!.ehloDomain = text)],
		['pool', (input, text) => (input.pools[0]!.name = text)],
		['domain', (input, text) => (input.domains[0]!.name = text)],
		['bounce host', (input, text) => (input.domains[0]!.bounceHost = text)],
		['complaints', (input, text) => (input.domains[0]!.complaintAddress = text)],
		['selector', (input, text) => (input.dkimKeys[0]!.selector = text)],
		['sender', (input, text) => (input.senders[0]!.address = text)],
		['tenant', (input, text) => (input.senders[0]!.tenant = text)],
		['mailbox', (input, text) => (input.mailboxes[0]!.address = text)],
		['removed tenant', (input, text) => (input.tombstones.senders[0]!.tenant = text)],
		['removed pool', (input, text) => (input.tombstones.pools = [text])]
	];

	it.each(fields)('in %s is refused, or comes back from TOML and SQLite as it was', (name, set) => {
		fc.assert(
			fc.property(anyText, (text) => {
				const input = estate();
				set(input, text);
				const parsed = policyInput.safeParse(input);
				if (!parsed.success) return;
				expect(text).not.toMatch(/[\p{Cc}\u2028\u202e]/u);
				// The panel's own name of a source is for people: it reaches no file that KumoMTA reads.
				if (name !== 'source name') {
					expect(text).toMatch(/^[\x21-\x7e]{1,255}$/);
					expect(text.split('/')).not.toContain('..');
				}
				const toml = nodeToml(parsed.data, { revision: '1-000000000000', roots, probeKeys: [] });
				const object: unknown = parse(toml);
				expect(parse(stringify(object as object))).toEqual(object);
				const written = JSON.stringify(object);
				for (const each of [parsed.data.settings.hostname, ...parsed.data.sources.map(({ ehloDomain }) => ehloDomain)])
					expect(written).toContain(JSON.stringify(each));
			}),
			{ numRuns: 60, examples: nasty.map((text): [string] => [text]) }
		);
	});

	it.each(nasty)('as a tenant or address never passes: %j', (text) => {
		const [sender] = estate().senders;
		expect(policySender.safeParse({ ...sender, tenant: text }).success).toBe(false);
		expect(policySender.safeParse({ ...sender, address: text }).success).toBe(false);
	});

	it('survives SQLite byte by byte even where no check stands before it', () => {
		const path = join(temporaryDirectory(), 'directory.sqlite');
		const values = nasty.map((text, index) => JSON.stringify({ id: `${index}`, text }));
		writeDirectory(
			path,
			values.map((value, index) => ['sender', `key${String(index).padStart(2, '0')}`, value])
		);
		expect([...readDirectory(path)].map(([, , value]) => value)).toEqual(values);
	});

	it('stands in no file of Lua, and the program is copied byte by byte', () => {
		const input = estate();
		input.settings.hostname = 'canary.example.net';
		const { directory } = build(input, { customLua: Buffer.from('return {}') });
		expect(readFileSync(join(directory, 'program.lua'))).toEqual(program);
		expect(readFileSync(join(directory, 'custom.lua'), 'utf8')).toBe('return {}');
		expect(readFileSync(join(directory, 'node.toml'), 'utf8')).toContain('canary.example.net');
	});
});

describe('a verifier', () => {
	it('reaches the directory and node.toml, and never the preview, the changes, the manifest or the problems', async () => {
		const input = estate();
		const secret = { salt: 'ab'.repeat(16), hash: 'cd'.repeat(32) };
		input.settings.httpApi = 'credential';
		input.settings.httpApiVerifier = { ...secret };
		input.senders[0]!.verifier = { ...secret, iterations: 4096 };
		const made = build(input);
		expect(readFileSync(join(made.directory, 'node.toml'), 'utf8')).toContain(secret.hash);
		expect(JSON.stringify([...readDirectory(join(made.directory, 'directory.sqlite'))])).toContain(secret.hash);
		const files = await previewFiles(made.directory, made.manifest);
		expect(files.find(({ path }) => path === 'node.toml')?.content).toContain('hash = "not shown"');
		const shown = JSON.stringify([files, made, listChanges(null, made.directory, { limit: 1000 })]);
		expect(shown).not.toContain(secret.hash);
		expect(shown).not.toContain(secret.salt);
	});
});

describe('the hash', () => {
	const shuffled = (input: PolicyInput): PolicyInput => ({
		settings: input.settings,
		sources: input.sources.toReversed(),
		pools: input.pools.toReversed().map((pool) => ({ ...pool, entries: pool.entries.toReversed() })),
		domains: input.domains.toReversed(),
		dkimKeys: input.dkimKeys.toReversed(),
		senders: input.senders.toReversed(),
		mailboxes: input.mailboxes.toReversed(),
		tombstones: { senders: input.tombstones.senders.toReversed(), pools: input.tombstones.pools.toReversed() }
	});

	it('does not depend on the order of the input, nor on where the machine keeps its files', () => {
		const made = build(estate());
		expect(build(shuffled(estate())).hash).toBe(made.hash);
		expect(build(estate(), { roots: { ...roots, policy: '/elsewhere', mail: '/m' }, now: 9e12 }).hash).toBe(made.hash);
	});

	const moves: [what: string, change: (input: PolicyInput) => unknown, part: 'nodeHash' | 'directoryHash'][] = [
		['the host name', (input) => (input.settings.hostname = 'other.example.net'), 'nodeHash'],
		['a weight', (input) => (input.pools[0]!.entries[0]!.weight = 7), 'nodeHash'],
		['the credential', (input) => (input.settings.httpApiVerifier = { salt: 'ab', hash: 'cd'.repeat(32) }), 'nodeHash'],
		['a verifier', (input) => (input.senders[3]!.verifier!.hash = 'ef'.repeat(32)), 'directoryHash'],
		['a rate', (input) => (input.senders[3]!.limit = { count: 3, unit: 'day' }), 'directoryHash'],
		['a key', (input) => (input.dkimKeys[1]!.privateKeyHash = 'ef'.repeat(32)), 'directoryHash'],
		['a removed sender', (input) => input.tombstones.senders.pop(), 'directoryHash'],
		['a mailbox', (input) => (input.mailboxes[0]!.enabled = false), 'directoryHash']
	];

	it.each(moves)('moves with %s', (_, change, part) => {
		const before = build(estate());
		const input = estate();
		change(input);
		const after = build(input);
		expect(after.hash).not.toBe(before.hash);
		const hashes = { nodeHash: after.manifest.nodeHash, directoryHash: after.manifest.directoryHash };
		for (const name of ['nodeHash', 'directoryHash'] as const)
			expect(hashes[name] === before.manifest[name]).toBe(name !== part);
	});

	it('moves with the program and custom.lua; only the program means a restart', () => {
		const live = build(estate());
		const edited = build(estate(), { customLua: Buffer.from('return {}'), live: live.directory });
		const newer = build(estate(), { program: Buffer.from('-- 2'), live: live.directory });
		expect(new Set([live.hash, edited.hash, newer.hash]).size).toBe(3);
		expect([edited.needsRestart, newer.needsRestart]).toEqual([false, true]);
	});

	it('is the same after the way through a revision directory', () => {
		const input = estate();
		input.senders[1]!.fromPolicy = 'domain';
		input.domains[2]!.complaintAddress = `abuse@${domainName(2)}`;
		input.dkimKeys.splice(3, 1);
		const made = build(input);
		const head = readRevisionHead(made.directory);
		const again = build({ ...head, senders: [...readRevisionSenders(made.directory, head)] });
		expect(again.hash).toBe(made.hash);
	});

	it('asks for a restart by what init reads, and by nothing else', () => {
		const live = build(estate());
		const restart = (change: (input: PolicyInput) => unknown) => {
			const input = estate();
			change(input);
			return build(input, { live: live.directory }).needsRestart;
		};
		expect(restart((input) => (input.settings.relayHosts = ['10.0.0.0/8']))).toBe(true);
		expect(restart((input) => (input.settings.listeners = [{ address: '::', port: 25, purpose: 'inbound' }]))).toBe(
			true
		);
		expect(restart((input) => (input.pools[0]!.entries[0]!.weight = 9))).toBe(false);
		expect(restart((input) => (input.settings.defaultPool = 'warm'))).toBe(false);
		expect(restart((input) => (input.senders[0]!.status = 'paused'))).toBe(false);
	});
});

describe('the files', () => {
	it('name removed pools without entries, keep every tenant a pool, and hold one TEXT key and value a table', () => {
		const made = build(estate());
		const node = parse(readFileSync(join(made.directory, 'node.toml'), 'utf8')) as { pool: Record<string, object> };
		expect(node.pool.former).toEqual({ entries: [] });
		const rows = [...readDirectory(join(made.directory, 'directory.sqlite'))];
		const tenants = new Map(rows.filter(([table]) => table === 'tenant').map(([, key, value]) => [key, value]));
		expect(tenants.get('gone.example')).toBe('{"pool":"main"}');
		expect(tenants.size).toBe(13);
		const db = new DatabaseSync(join(made.directory, 'directory.sqlite'), { readOnly: true });
		const schema = db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
		expect(schema.map(({ name }) => name)).toEqual([...directoryTables].sort());
		for (const { sql } of schema) expect(sql).toMatch(/\(key TEXT PRIMARY KEY, value TEXT NOT NULL\) WITHOUT ROWID$/);
		expect(db.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'delete' });
		db.close();
	});

	it('keep only the pool of a sender that stays out', () => {
		const input = estate();
		input.senders[0]!.domainId = estateId('domain', 3);
		const made = build(input);
		expect(made.problems.find(({ severity }) => severity === 'error')).toMatchObject({
			code: 'foreign-domain',
			blocks: false
		});
		const rows = [...readDirectory(join(made.directory, 'directory.sqlite'))].filter(([, , value]) =>
			value.includes('s000000')
		);
		expect(rows).toEqual([]);
		const tenant = [...readDirectory(join(made.directory, 'directory.sqlite'), ['tenant'])].find(([, key]) =>
			key.startsWith('s000000')
		);
		expect(tenant?.[2]).toBe('{"pool":"warm"}');
	});

	it('write a rate as a ThrottleSpec that reads back', () => {
		for (const [spec, unit] of [
			['9/s', 'second'],
			['9/min', 'minute'],
			['9/h', 'hour'],
			['9/d', 'day']
		] as const) {
			expect(throttleSpec({ count: 9, unit })).toBe(spec);
			expect(limitOf(spec)).toEqual({ count: 9, unit });
		}
	});
});
