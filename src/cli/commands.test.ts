import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openTestApp, temporaryDirectory } from '../../tests/support/app.ts';
import type { TestApp } from '../../tests/support/app.ts';
import { runCommand } from '../../tests/support/command-line.ts';
import { fillEstate } from '../../tests/support/policy-app.ts';
import { auditEntries } from '../lib/server/audit/tables.ts';
import { createSession } from '../lib/server/auth/sessions.ts';
import { users } from '../lib/server/auth/tables.ts';

/** Every command as a process of its own: what it says of itself, what it does with wrong input, and what it leaves. */

const email = 'ops@example.net';
const actor = `cli:${process.getuid?.()}`;
const folder = temporaryDirectory();
const at = (name: string) => join(folder, name);
let app: TestApp;
let tokenId = '';

beforeAll(async () => {
	app = await openTestApp({ clock: Date.now });
	const [user] = await app.db
		.insert(users)
		.values({ email, passwordHash: 'none', passwordChangedAt: 0, createdAt: 0 })
		.returning();
	await fillEstate({ client: app.database.client, keys: app.keys }, { domains: 2, senders: 3 });
	await createSession(app, app.db, { userId: user!.id, address: '192.0.2.9', userAgent: 'a browser' });
	tokenId = (await app.database.client.execute('SELECT id FROM sessions')).rows[0]?.[0] as string;
	writeFileSync(at('passphrase'), 'a long enough passphrase\n', { mode: 0o600 });
	writeFileSync(at('good.csv'), 'domain,sender,dkim\nnew.example,news,no\nnew.example,shop,no\n');
	writeFileSync(at('bad.csv'), 'domain,sender\nnew.example,ok\nnot a domain,x\nnew.example,ok\n');
	writeFileSync(at('list.csv'), 'email\none@b.example\ntwo@b.example\n');
	writeFileSync(at('bad-list.csv'), 'one@b.example\nnobody\n');
	writeFileSync(at('latin1.csv'), Buffer.from('domain\nm\u{fc}nchen.example\n', 'latin1'));
	mkdirSync(at('full'));
	writeFileSync(join(at('full'), 'file'), '');
});

const audit = () => app.db.select().from(auditEntries).orderBy(auditEntries.id);

interface Try {
	/** `TOKEN` stands for the id of a token. */
	args: string[];
	input?: string;
	/** A word of what is said. */
	says: string | RegExp;
	code?: 3;
	/** `action outcome` of the rows that it leaves. */
	audit?: string[];
}

interface Case {
	/** Wrong input: exit code 2, nothing on standard output. */
	wrong: Try[];
	/** What is right, in order. */
	right: Try[];
	/** The test that plays what needs more than a process. */
	elsewhere?: string;
}

const row = (args: string[], says: Try['says'], more: Partial<Try> = {}): Try => ({ args, says, ...more });

const table: Record<string, Case> = {
	'tokens list': {
		wrong: [row(['--all'], '--all is unknown')],
		right: [row([], '192.0.2.9'), row(['--json'], '"a browser"')]
	},
	'tokens revoke': {
		wrong: [row([], 'takes <id>'), row(['nosuchtoken22222'], 'session', { audit: ['auth.sessions.revoke NOT_FOUND'] })],
		right: [row(['TOKEN'], `The token of ${email} was ended.`, { audit: ['auth.sessions.revoke ok'] })]
	},
	'tokens revoke-all': {
		wrong: [row(['nobody'], 'not an e-mail address'), row(['nobody@example.net'], 'no account')],
		right: [row([email], '0 tokens of', { audit: ['auth.sessions.revokeOthers ok'] })]
	},
	'users list': { wrong: [row(['more'], 'takes nothing more')], right: [row([], email), row(['--json'], /^\[\{"/)] },
	'users set-password': {
		wrong: [
			row([], 'takes <email>'),
			row(['nobody@example.net'], 'no account', {
				input: 'a long password 77\n',
				audit: ['users.setPassword NOT_FOUND']
			})
		],
		right: [row([email], '', { input: 'not-on-any-list-4711\n', audit: ['users.setPassword ok'] })]
	},
	import: {
		wrong: [
			row([], 'takes <file>'),
			row([at('nowhere')], 'cannot be read (ENOENT)'),
			row([folder], 'no regular file'),
			row([at('latin1.csv')], 'not UTF-8'),
			row(['-'], 'is empty')
		],
		right: [
			row(
				[at('good.csv'), '--dry-run', '--lines'],
				/2 {2}news@new\.example {2}sender-created, domain-created[^]*dry run/,
				{
					audit: ['imports.create ok', 'imports.append ok', 'imports.discard ok']
				}
			),
			row([at('good.csv')], /2 lines: 1 new domain, 2 new senders[^]*Imported/, {
				audit: ['imports.create ok', 'imports.append ok', 'imports.commit ok']
			}),
			row(['-', '--json', '--dry-run'], /"isCommitted":false[^]*"unchanged":1/, {
				input: 'domain,sender\nnew.example,news\n',
				audit: ['imports.create ok', 'imports.append ok', 'imports.discard ok']
			})
		]
	},
	'suppression add': {
		wrong: [
			row(['nonsense'], 'address', { audit: ['suppression.add BAD_REQUEST'] }),
			row(['a@b.example', '--domain', 'nowhere.example'], 'no domain of this name')
		],
		right: [
			row(['gone@b.example', '--note', 'asked us'], 'no more mail of any domain', { audit: ['suppression.add ok'] }),
			row(['only@b.example', '--domain', 'new.example'], 'mail of new.example', { audit: ['suppression.add ok'] })
		]
	},
	'suppression check': {
		wrong: [row([], 'takes <address>')],
		right: [
			row(['gone@b.example'], /is suppressed\.\n {2}global: manual since/, { code: 3 }),
			row(['other@b.example'], 'is not suppressed'),
			row(['only@b.example', '--domain', 'new.example', '--json'], '"suppressed":true', { code: 3 })
		]
	},
	'suppression import': {
		wrong: [row([at('nowhere')], 'cannot be read')],
		right: [
			row([at('list.csv')], '2 added, 0 stood', { audit: ['suppression.bulk ok'] }),
			row([at('bad-list.csv')], '0 added, 1 stood there already, 1 lines', {
				code: 3,
				audit: ['suppression.bulk ok']
			})
		]
	},
	'suppression export': {
		wrong: [row(['--domain'], '--domain')],
		right: [row([], /^address,domain[^]*gone@b\.example/), row(['--domain', 'new.example'], /only@b\.example/)]
	},
	'suppression state': {
		wrong: [row(['now'], 'takes nothing more')],
		right: [row([], 'unused: '), row(['--json'], '{')]
	},
	'suppression rebuild': {
		wrong: [row(['now'], 'takes nothing more')],
		right: [row([], 'No policy was applied yet', { audit: ['suppression.rebuild ok'] })]
	},
	'suppression remove': {
		wrong: [row(['never@b.example'], 'not on that list')],
		right: [row(['gone@b.example'], 'taken off', { audit: ['suppression.remove ok'] })]
	},
	'policy status': {
		wrong: [row(['-x'], 'is unknown')],
		right: [row([], 'Live: no revision yet.'), row(['--json'], '{')]
	},
	'policy check': { wrong: [row(['x'], 'takes nothing more')], right: [row([], '0 of them block')] },
	'policy preview': {
		wrong: [row(['x'], 'takes nothing more')],
		right: [row([], 'Hash: '), row(['--json'], '"hash"')]
	},
	'policy render': {
		wrong: [
			row([], 'takes <directory>'),
			row([at('full')], 'not an empty directory'),
			row([at('good.csv')], 'not an empty')
		],
		right: [row([at('rendered')], 'node.toml'), row([at('again'), '--json'], '"files"')]
	},
	'policy diff': {
		wrong: [row(['--from', 'one'], 'a number, or pending'), row(['--from', '77'], 'Revision 77')],
		right: [
			row([], /node\.toml: .* more[^]*\n\+ /),
			row(['--exit-code'], 'node.toml', { code: 3 }),
			row(['--json'], '{')
		]
	},
	'policy apply': {
		wrong: [row([], '--hash'), row(['--hash', 'x'], 'expectedHash', { audit: ['policy.apply BAD_REQUEST'] })],
		right: [row(['--yes', '--reason', 'first'], 'applied: revision 1', { audit: ['policy.apply ok'] })]
	},
	'policy revisions': {
		wrong: [row(['1'], 'takes nothing more')],
		right: [row([], 'first'), row(['--json'], '"number":1')]
	},
	'policy simulate': {
		wrong: [row(['--to'], '--to'), row(['--as', 'a@b.example'], '--to')],
		right: [row(['--to', 'a@gmail.com', '--as', 'nobody@new.example'], 'REFUSED', { code: 3 })]
	},
	'policy restore': {
		wrong: [row(['one'], 'a number'), row(['77'], 'Revision 77', { audit: ['policy.restore NOT_FOUND'] })],
		right: [row(['1'], /unchanged|applied/, { audit: ['policy.restore ok'] })]
	},
	'policy end-watch': {
		wrong: [row([], 'takes <apply>'), row(['nosuchapply22222'], 'apply', { audit: ['policy.endWatch NOT_FOUND'] })],
		right: [],
		elsewhere: 'watch.test.ts'
	},
	'policy confirm': {
		wrong: [row([], 'takes <apply>'), row(['nosuchapply22222'], 'apply', { audit: ['policy.confirm NOT_FOUND'] })],
		right: [],
		elsewhere: 'watch.test.ts'
	},
	backup: {
		wrong: [
			row(['--keep', 'many'], '--keep takes a number'),
			row(['--recipient', 'x'], 'no recipient key'),
			row(['--passphrase-file', at('nowhere')], 'cannot be read'),
			row(['--out', '/nowhere/at/all'], 'no directory', { audit: ['backup.create BAD_REQUEST'] })
		],
		right: [
			row(['--passphrase-file', at('passphrase'), '--out', at('one')], at('one'), { audit: ['backup.create ok'] }),
			row(['--verify', at('one'), '--passphrase-file', at('passphrase')], 'opens and is whole', {
				audit: ['backup.verify ok']
			}),
			row(['--verify', at('good.csv')], 'no backup of this format', { code: 3 })
		]
	},
	doctor: { wrong: [row(['more'], 'takes nothing more')], right: [], elsewhere: 'doctor.test.ts' },
	restore: {
		wrong: [
			row([], 'takes <file>'),
			row([at('one'), '--into', at('x'), '--key-file', at('nowhere')], 'cannot be read')
		],
		right: [
			row([at('one'), '--into', at('restored'), '--passphrase-file', at('passphrase')], 'Left to do:'),
			row([at('good.csv'), '--into', at('other')], 'no backup of this format', { code: 3 })
		]
	}
};

/** Runs one row and compares streams, exit code and the audit rows that it left. */
async function play(command: string, { args, input, says, code, audit: rows = [] }: Try, isWrong: boolean) {
	const before = (await audit()).length;
	const ended = await runCommand(
		app,
		[...command.split(' '), ...args.map((arg) => (arg === 'TOKEN' ? tokenId : arg))],
		{ ...(input !== undefined && { input }) }
	);
	const label = `${command} ${args.join(' ')}\n${ended.out}\n${ended.err}`;
	expect(ended.code, label).toBe(isWrong ? 2 : (code ?? 0));
	const said = isWrong || ended.out === '' ? ended.err : ended.out;
	if (typeof says === 'string') expect(said, label).toContain(says);
	else expect(said, label).toMatch(says);
	if (isWrong) expect(ended.out, label).toBe('');
	const left = (await audit()).slice(before);
	expect(
		left.map(({ action, outcome }) => `${action} ${outcome}`),
		label
	).toEqual(rows);
	expect(left.every((entry) => entry.actor === actor)).toBe(true);
	return ended;
}

it('every command that the help names is in this table', async () => {
	const { code, out } = await runCommand(app, ['help']);
	const named = [...out.matchAll(/^ {2}((?:[a-z-]+ )?[a-z-]+)(?: <[a-z]+>)? {2,}\S/gm)].map(([, name]) => name);
	expect(code).toBe(0);
	expect(named.toSorted()).toEqual(Object.keys(table).toSorted());
});

describe.each(Object.entries(table))('%s', { timeout: 120_000 }, (command, { wrong, right }) => {
	it('says what it is and takes', async () => {
		const { code, out, err } = await runCommand(app, ['help', ...command.split(' ')]);
		expect({ code, err }).toEqual({ code: 0, err: '' });
		expect(out).toMatch(new RegExp(`^kumomta-ui ${command}`));
		for (const [, help] of out.matchAll(/^ {2}--[a-z-]+(?: <[^>]+>)?(?: …)?(.*)$/gm))
			expect(help?.trim()).toMatch(/^.{6,}$/);
	});

	it.each(wrong.map((each) => [each.args.join(' '), each] as const))('refuses "%s"', async (_, each) => {
		await play(command, each, true);
	});

	it.skipIf(right.length === 0)('does what is asked', async () => {
		for (const each of right) await play(command, each, false);
	});
});
