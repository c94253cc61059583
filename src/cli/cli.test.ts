import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openTestApp, temporaryDirectory } from '../../tests/support/app.ts';
import type { TestApp } from '../../tests/support/app.ts';
import { runCommand } from '../../tests/support/command-line.ts';
import { insertDomain } from '../../tests/support/rows.ts';
import { auditEntries } from '../lib/server/audit/tables.ts';
import { users } from '../lib/server/auth/tables.ts';
import { verifyBcrypt } from '../lib/server/core/bcrypt.ts';
import { Secret } from '../lib/server/core/secret.ts';
import { createSession, findCaller } from '../lib/server/auth/sessions.ts';

/** The command line as people run it: its own process, beside a panel that has the database open. */

const email = 'ops@example.net';
const strong = 'not-on-any-list-4711';
const actor = `cli:${process.getuid?.()}`;
let app: TestApp;

beforeAll(async () => {
	app = await openTestApp({ clock: Date.now });
	await app.db.insert(users).values({ email, passwordHash: 'none', passwordChangedAt: 0, createdAt: 0 });
});

const run = (...[args, options]: [string[], { input?: string; env?: Record<string, string> }?]) =>
	runCommand(app, args, options);

const audit = async () =>
	(await app.db.select().from(auditEntries)).map(({ action, outcome, actor: who, input }) => ({
		action,
		outcome,
		actor: who,
		input
	}));
const user = async () => (await app.db.select().from(users))[0]!;

describe('what must never happen', () => {
	it('a new panel in a wrong DATA_DIR', async () => {
		const empty = temporaryDirectory();
		expect(await run(['users', 'list'], { env: { DATA_DIR: join(empty, 'wrong') } })).toMatchObject({
			code: 2,
			err: expect.stringContaining('There is no panel in')
		});
		expect(existsSync(join(empty, 'wrong'))).toBe(false);
		expect(readdirSync(empty)).toEqual([]);
	});

	it('a password on the command line, in an error, the log or an audit row', async () => {
		const canary = 'canary-canary-canary';
		const results = [
			await run(['users', 'set-password', email, canary]),
			await run(['users', 'set-password', email, `--password=${canary}`]),
			await run(['users', 'set-password', email], { input: `${canary.repeat(9)}\n` }),
			await run(['users', 'set-password', 'nobody@example.net'], { input: `${canary}\n` })
		];
		expect(results.map(({ code }) => code)).toEqual([2, 2, 2, 2]);
		expect(JSON.stringify([results, await audit()])).not.toContain(canary);
		expect((await user()).passwordHash).toBe('none');
		expect((await audit()).map(({ outcome }) => outcome)).toEqual(['BAD_REQUEST', 'NOT_FOUND']);
	});

	it.each([
		['an empty one', ''],
		['an empty line', '\n'],
		['far too much', 'x'.repeat(5000)]
	])('%s standard input taken for a password', async (_, input) => {
		expect(await run(['users', 'set-password', email], { input })).toMatchObject({ code: 2, out: '' });
		expect((await user()).passwordHash).toBe('none');
	});
});

describe('users', () => {
	it('lists accounts without their hashes', async () => {
		expect(await run(['users', 'list'])).toMatchObject({
			code: 0,
			out: `${email}  since 1970-01-01, password of 1970-01-01\n`,
			err: ''
		});
		const [item] = JSON.parse((await run(['users', 'list', '--json'])).out) as object[];
		expect(Object.keys(item!).sort()).toEqual(['createdAt', 'email', 'id', 'passwordChangedAt']);
	});

	it('sets a password from standard input, ends the sessions and leaves an audit row', async () => {
		const { id } = await user();
		const { token } = await createSession(app, app.db, { userId: id, address: null, userAgent: '' });
		const before = (await audit()).length;
		expect(await run(['users', 'set-password', 'OPS@example.net'], { input: `${strong}\r\nsecond line\n` })).toEqual({
			code: 0,
			out: '',
			err: `The password of ${email} was changed; 1 session was ended.\n`
		});
		expect(await verifyBcrypt((await user()).passwordHash, new Secret(strong))).toBe(true);
		expect(await findCaller(app, token)).toBeNull();
		expect((await audit()).slice(before)).toEqual([
			{ action: 'users.setPassword', outcome: 'ok', actor, input: { email, password: '[secret]' } }
		]);
	});

	it('makes a password and prints it once', async () => {
		const { code, out, err } = await run(['users', 'set-password', email, '--generate']);
		expect([code, out]).toEqual([0, expect.stringMatching(/^[\w-]{20}\n$/)]);
		expect(await verifyBcrypt((await user()).passwordHash, new Secret(out.trim()))).toBe(true);
		expect(JSON.stringify([err, await audit()])).not.toContain(out.trim());
	});
});

describe('command line', () => {
	it.each([
		[[], 0, 'policy restore <number>'],
		[['help'], 0, 'users set-password <email>'],
		[['--help'], 0, 'Exit codes'],
		[['help', 'policy'], 0, 'policy revisions'],
		[['help', 'policy', 'apply'], 0, '--overwrite-drift'],
		[['policy', 'apply', '--help'], 0, '--hash <sha256>'],
		[['policy', 'restore', '--help'], 0, '--override-route <name>']
	])('%j explains', async (args, code, text) => {
		expect(await run(args)).toMatchObject({ code, out: expect.stringContaining(text), err: '' });
	});

	it.each([
		[['nonsense'], 'no such command'],
		[['users'], 'no such command'],
		[['constructor', 'name'], 'no such command'],
		[['users', 'toString'], 'no such command'],
		[['users', 'list', 'more'], 'takes nothing more'],
		[['users', 'set-password'], 'takes <email>'],
		[['users', 'set-password', 'no address'], 'not an e-mail address'],
		[['users', 'list', '--colour'], '--colour is unknown'],
		[['policy', 'apply'], '--hash'],
		[['policy', 'apply', '--yes', '--hash', 'a'.repeat(64)], '--hash'],
		[['policy', 'apply', '--hash', 'nonsense'], 'expectedHash'],
		[['policy', 'restore', 'one'], 'a number']
	])('%j is wrong input and says why', async (args, text) => {
		expect(await run(args)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(text) });
	});

	it('a wrong variable is wrong input', async () => {
		expect(await run(['users', 'list'], { env: { PORT: 'ninety' } })).toMatchObject({
			code: 2,
			err: expect.stringContaining('PORT')
		});
	});

	it('a damaged database is a bug with a reference, and no parameter is printed', async () => {
		const broken = await openTestApp();
		await broken.db.run('alter table users rename to gone');
		const { code, err } = await run(['users', 'set-password', email, '--generate'], {
			env: { DATA_DIR: broken.env.dataDir }
		});
		expect([code, err]).toEqual([1, expect.stringMatching(/cli-[0-9a-f-]{36}/)]);
		expect(err).not.toContain(email);
	});
});

describe('policy', () => {
	it('goes from nothing to revision 1 and back, with audit rows', async () => {
		await insertDomain(app);
		expect(await run(['policy', 'status'])).toMatchObject({
			code: 0,
			out: expect.stringContaining('Live: no revision yet.'),
			err: ''
		});
		const checked = await run(['policy', 'check']);
		expect(checked).toMatchObject({ code: 3, out: expect.stringMatching(/error, blocks: /) });
		expect(await run(['policy', 'apply', '--yes'])).toMatchObject({ code: 3 });
		await app.db
			.run(`insert into settings (id, hostname, relay_hosts, relay_hosts_override, http_api, resolvers, logs, spool, monitor_globs, updated_at)
			values (1, 'mta.example.net', '[]', '[]', 'trusted', '[]', '{"directory":"/var/log/kumomta","maxSegmentSeconds":10,"retentionDays":30}',
			'{"directory":"/var/spool/kumomta","kind":"RocksDB","minFreePercent":10}', '[]', 1)`);
		const shown = await run(['policy', 'preview', '--json']);
		const { hash, changes } = JSON.parse(shown.out) as { hash: string; changes: { text: string }[] };
		expect([hash, changes.length > 0]).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), true]);
		expect(await run(['policy', 'check'])).toMatchObject({ code: 0 });
		expect(await run(['policy', 'apply', '--hash', 'f'.repeat(64)])).toMatchObject({ code: 2 });
		expect(await run(['policy', 'apply', '--hash', hash, '--reason', 'first'])).toMatchObject({
			err: '',
			code: 0,
			out: expect.stringMatching(/validate +skipped[^]*applied: revision 1\n$/)
		});
		expect(await run(['policy', 'apply', '--yes'])).toMatchObject({
			code: 0,
			out: expect.stringContaining('unchanged')
		});
		expect(await run(['policy', 'status'])).toMatchObject({
			code: 0,
			out: expect.stringMatching(/Live: revision 1 .*\nPending: nothing\./)
		});
		expect(await run(['policy', 'revisions'])).toMatchObject({
			code: 0,
			out: expect.stringMatching(/^1 .* live {2}first\n$/)
		});
		const message = ['--to', 'a@gmail.com', '--as', 'nobody@example.com'];
		expect(await run(['policy', 'simulate', ...message])).toMatchObject({
			code: 3,
			out: expect.stringMatching(/: refused\.\n[^]*REFUSED auth .*\[535 5\.7\.8 AUTH invalid\] \(login-wrong\)/),
			err: ''
		});
		expect(await run(['policy', 'simulate', '--as', 'x@y.example'])).toMatchObject({ code: 2, out: '' });
		expect(await run(['policy', 'simulate', ...message, '--listener', 'relay'])).toMatchObject({ code: 2, out: '' });
		expect(await run(['policy', 'restore', '77'])).toMatchObject({ code: 2, out: '' });
		await app.db.run(`insert into golden_routes (id, name, request, expectation, created_at, updated_at)
			values ('route22222222222', 'letters', '{"arrival":{"via":"http","clientAddress":"203.0.113.5"},"mailFrom":"",
			"recipients":["a@gmail.com"],"headers":[]}', '{"verdict":"accepted"}', 1, 1)`);
		await app.db.run("update settings set hostname = 'mta2.example.net'");
		expect(await run(['policy', 'apply', '--yes', '--override-route', 'another'])).toMatchObject({
			code: 3,
			out: '',
			err: expect.stringContaining('“letters” is refused with ')
		});
		expect(
			await run(['policy', 'apply', '--yes', '--override-route', 'another', '--override-route', 'letters'])
		).toMatchObject({
			code: 0,
			out: expect.stringMatching(/Overridden: “letters” is refused with [^]*applied: revision \d+\n$/)
		});
		expect(
			(await audit()).filter(({ action }) => action === 'policy.apply').map(({ outcome, actor: who }) => [who, outcome])
		).toContainEqual([actor, 'ok']);
	}, 120_000);
});
