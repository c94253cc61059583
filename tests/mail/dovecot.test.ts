import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { ImapFlow } from 'imapflow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../src/lib/server/core/secret.ts';
import { tryLogin } from '../../src/lib/server/dovecot/service.ts';
import { applyPending } from '../../src/lib/server/policy/apply.ts';
import { usualTimes } from '../../src/lib/server/policy/apply-run.ts';
import { closeCompiler } from '../../src/lib/server/policy/compile.ts';
import { findMailDrift } from '../../src/lib/server/policy/mail-step.ts';
import { readLive } from '../../src/lib/server/policy/live.ts';
import { recoverApplies } from '../../src/lib/server/policy/recover.ts';
import { policyRoots } from '../../src/lib/server/policy/roots.ts';
import { getPreview } from '../../src/lib/server/policy/service.ts';
import { caller, openTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { kumod, mailHost, makeMailPlace, tlsName, vmail, whyNoDovecot } from '../support/dovecot.ts';
import type { MailPlace } from '../support/dovecot.ts';
import { absentKumod, fillEstate } from '../support/policy-app.ts';
import { speakPop3 } from '../support/pop3.ts';

const reason = whyNoDovecot();
const who = { actor: 'cli:0', name: 'the test', userId: null, sessionId: null };
const password = 'chosen pass phrase';
/** Long enough to see how every apply ends. */
const times = { ...usualTimes, answerAfterMs: 300_000 };
const mebibyte = 1_048_576;

let place: MailPlace;
let app: TestApp;
let fault: ((name: string) => void) | undefined;
let accounts: { id: string; address: string }[];
const [first, second, third] = [0, 1, 2].map((at) => () => accounts[at]!) as [Account, Account, Account];
type Account = () => { id: string; address: string };

const maildir = (account: Account) => join(place.mailRoot, account().id);
const conf = () => readFileSync(join(place.etc, 'dovecot.conf'), 'utf8');

async function apply() {
	const { hash } = await getPreview(app);
	return applyPending(app, who, { expectedHash: hash }, times);
}

type Answer = Awaited<ReturnType<typeof apply>>;
const output = ({ steps }: Answer, name: string) => steps.find((step) => step.name === name)?.output ?? '';

const imapClient = (user: string, pass = password) =>
	new ImapFlow({
		host: '127.0.0.1',
		port: place.imapPort,
		secure: true,
		auth: { user, pass },
		tls: { rejectUnauthorized: false },
		logger: false
	});

async function withImap<T>(account: Account, work: (client: ImapFlow) => Promise<T>): Promise<T> {
	const client = imapClient(account().address);
	await client.connect();
	try {
		return await work(client);
	} finally {
		await client.logout();
	}
}

/** Null: signed in; else what the server said. */
async function refusal(user: string, pass = password): Promise<string | null> {
	const client = imapClient(user, pass);
	try {
		await client.connect();
		await client.logout();
		return null;
	} catch (error) {
		return (error as { responseText?: string }).responseText ?? String(error);
	}
}

/** As KumoMTA writes into a Maildir: in tmp, mode 0660, then renamed into new. */
function deliver(account: Account, name: string, text: string): void {
	const temporary = join(maildir(account), 'tmp', name);
	writeFileSync(temporary, text);
	chmodSync(temporary, 0o660);
	// The group comes from the directory (setgid), as it does for kumod, which is in no group but its own.
	chownSync(temporary, kumod.uid, lstatSync(dirname(temporary)).gid);
	renameSync(temporary, join(maildir(account), 'new', name));
}

const message = (subject: string, bytes = 10) =>
	`From: MAILER-DAEMON@example.net\r\nSubject: ${subject}\r\n\r\n${'x'.repeat(70)}\r\n${'y'.repeat(bytes)}\r\n`;

describe.skipIf(reason !== undefined)(`a real Dovecot${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
	let started: Answer;

	beforeAll(async () => {
		place = await makeMailPlace();
		app = await openTestApp({
			clock: Date.now,
			host: mailHost((name) => fault?.(name)),
			kumod: absentKumod(),
			env: place.env
		});
		await fillEstate({ client: app.database.client, keys: app.keys }, { domains: 3, senders: 3 });
		await app.database.client.execute({
			sql: 'UPDATE settings SET tls_name = ?, hostname = ?',
			args: [tlsName, tlsName]
		});
		const { bounces } = caller(app);
		accounts = (await bounces.list()).items.map(({ id, address }) => ({ id, address }));
		for (const { id } of accounts) {
			await bounces.setPassword({ id, password });
			await bounces.update({ id, quotaBytes: mebibyte });
		}
		started = await apply();
		await place.start();
	}, 120_000);

	afterAll(async () => {
		await place?.stop();
		if (app !== undefined) await closeCompiler(app);
	});

	it('is set up by an apply: mailboxes, files with their modes, Dovecot’s own judgement', () => {
		expect(started.outcome).toBe('applied');
		expect(output(started, 'dovecot')).toMatch(
			/^3 new mailboxes\.\nDovecot 2\.3\.\S+ accepts its configuration: 3 accounts/
		);
		expect(output(started, 'refresh')).toContain('Dovecot does not run');
		for (const path of ['', 'cur', 'new', 'tmp'].map((part) => join(maildir(first), part))) {
			const { mode, uid, gid } = lstatSync(path);
			expect([mode & 0o7777, uid, gid]).toEqual([0o2771, kumod.uid, vmail.gid]);
		}
		expect(lstatSync(place.mailRoot).mode & 0o7777).toBe(0o711);
		const revision = /^# kumomta-ui revision (\S+)\n/.exec(conf())?.[1] ?? '';
		const passwd = lstatSync(join(place.etc, 'kumomta-ui', revision, 'passwd'));
		expect([passwd.mode & 0o7777, passwd.uid, passwd.gid]).toEqual([0o640, 0, app.host.findUser('dovecot')?.gid]);
	});

	it('takes the right password and no other, under the account’s own name only', async () => {
		expect(await refusal(first().address)).toBeNull();
		const [local, host] = first().address.split('@');
		expect(await refusal(first().address.toUpperCase())).toBeNull();
		for (const user of [`${local}+tag@${host}`, 'root', 'nobody@example.net', local ?? '', `${first().address} x`])
			expect([user, await refusal(user)]).toEqual([user, expect.any(String)]);
		expect(await refusal(first().address, 'another pass phrase')).toMatch(/Authentication failed/);
		expect(await refusal(first().address, '')).toEqual(expect.any(String));
	}, 120_000);

	it('speaks POP3 too, with the right password and no other', async () => {
		const right = await speakPop3(place.pop3Port, [`USER ${second().address}`, `PASS ${password}`, 'STAT']);
		expect(right[3]).toMatch(/^\+OK 0 0/);
		const wrong = await speakPop3(place.pop3Port, [`USER ${second().address}`, 'PASS another pass phrase']);
		expect(wrong[2]).toMatch(/^-ERR/);
	});

	it('speaks to nobody without TLS, and listens on no port for it', async () => {
		const said = await new Promise<string>((done) => {
			const socket = connect(place.imapPort, '127.0.0.1', () =>
				socket.write(`a1 LOGIN ${first().address} "${password}"\r\n`)
			);
			let text = '';
			socket.on('data', (part: Buffer) => (text += part.toString('latin1')));
			socket.once('error', () => done(text)).once('close', () => done(text));
			setTimeout(() => socket.destroy(), 3000);
		});
		expect(said).not.toMatch(/OK/);
		expect(conf()).toMatch(/ssl = required[\s\S]*disable_plaintext_auth = yes/);
		expect(conf().match(/port = \d+/g)).toEqual([
			'port = 0',
			`port = ${place.imapPort}`,
			'port = 0',
			`port = ${place.pop3Port}`
		]);
		expect(conf()).not.toMatch(/!include|pam|system/);
	});

	it('serves what KumoMTA writes, to its own account only, and may tidy it', async () => {
		deliver(first, '1.M1P1.host', message('a failure report'));
		const [subject] = await withImap(first, async (client) => {
			const lock = await client.getMailboxLock('INBOX');
			try {
				const found = await client.fetchOne('*', { envelope: true });
				await client.messageFlagsAdd('*', ['\\Seen']);
				return [found === false ? undefined : found.envelope?.subject];
			} finally {
				lock.release();
			}
		});
		expect(subject).toBe('a failure report');
		const [moved = ''] = readdirSync(join(maildir(first), 'cur'));
		const { uid, gid, mode } = lstatSync(join(maildir(first), 'cur', moved));
		expect([uid, gid, mode & 0o777]).toEqual([kumod.uid, vmail.gid, 0o660]);
		expect(await withImap(second, (client) => client.status('INBOX', { messages: true }))).toMatchObject({
			messages: 0
		});
		const names = ['../' + first().id, `~/../${first().id}`, join(place.mailRoot, first().id), `${maildir(first)}/cur`];
		for (const name of names) {
			const open = withImap(second, (client) => client.mailboxOpen(name));
			await expect(open, name).rejects.toThrow();
		}
		expect(await speakPop3(place.pop3Port, [`USER ${first().address}`, `PASS ${password}`, 'STAT'])).toEqual(
			expect.arrayContaining([expect.stringMatching(/^\+OK 1 /)])
		);
		await withImap(first, async (client) => {
			const lock = await client.getMailboxLock('INBOX');
			await client.messageDelete('1:*');
			lock.release();
		});
		expect(readdirSync(join(maildir(first), 'cur'))).toEqual([]);
	});

	it('counts KumoMTA’s deliveries to the quota, and refuses what a mail program would put beyond it', async () => {
		deliver(third, '2.M2P2.host', message('large', 900 * 1024));
		const quota = await withImap(third, (client) => {
			return client.getQuota('INBOX');
		});
		expect(quota).toMatchObject({ storage: { limit: mebibyte } });
		const used = (quota as { storage?: { usage?: number } }).storage?.usage ?? 0;
		expect(used).toBeGreaterThan(900 * 1024);
		const append = withImap(third, (client) => client.append('INBOX', message('too much', 200 * 1024)));
		await expect(append).rejects.toMatchObject({ responseText: expect.stringMatching(/quota/i) });
	});

	it('takes a new password by the next apply, after a real login on that very revision', async () => {
		const { bounces } = caller(app);
		await bounces.setPassword({ id: second().id, password: 'the next pass phrase' });
		expect(await refusal(second().address)).toBeNull();
		const answer = await apply();
		expect(answer.outcome).toBe('applied');
		expect(output(answer, 'refresh')).toContain('Dovecot reads its files anew.');
		expect(output(answer, 'probe')).toContain('A real login over TLS works');
		expect(await refusal(second().address)).toMatch(/Authentication failed/);
		expect(await refusal(second().address, 'the next pass phrase')).toBeNull();
		expect(
			await findMailDrift(
				app,
				policyRoots(app.env.kumomtaRoot),
				await readLive(app.host, policyRoots(app.env.kumomtaRoot))
			)
		).toEqual([]);
		const probes = readdirSync(join(place.etc, 'kumomta-ui'), { recursive: true, withFileTypes: true });
		for (const probe of probes.filter(({ name }) => name === 'probe'))
			expect(lstatSync(join(probe.parentPath, probe.name)).size).toBe(0);
		const seen = JSON.stringify([answer, app.logLines, await app.database.client.execute('SELECT * FROM applies')]);
		for (const secret of ['the next pass phrase', '$2a$10$', '$2b$10$']) expect(seen).not.toContain(secret);
	}, 60_000);

	it('knows no account that was disabled, and answers the panel’s own check in words', async () => {
		await caller(app).bounces.update({ id: third().id, enabled: false });
		expect((await apply()).outcome).toBe('applied');
		expect(await refusal(third().address)).toMatch(/Authentication failed/);
		expect(existsSync(maildir(third))).toBe(true);
		const options = { serverName: tlsName, port: place.imapPort };
		const right = await tryLogin({ user: first().address, password: new Secret(password) }, options);
		expect(right.map(({ status }) => status)).toEqual(Array(5).fill('ok'));
		const wrong = await tryLogin({ user: third().address, password: new Secret(password) }, options);
		expect(wrong.find(({ status }) => status === 'failed')?.name).toBe('login');
		await caller(app).bounces.update({ id: third().id, enabled: true });
		expect((await apply()).outcome).toBe('applied');
	}, 60_000);

	describe('an apply that Dovecot does not survive', () => {
		const lines = () => [readFileSync(policyRoots(app.env.kumomtaRoot).init, 'utf8'), conf()];
		const edit = () =>
			app.database.client.execute('UPDATE senders SET max_age_seconds = coalesce(max_age_seconds, 1000) + 1');

		it('touches nothing when Dovecot refuses the configuration', async () => {
			await edit();
			const before = lines();
			const key = join(app.env.kumomtaRoot, 'etc/tls', tlsName, 'privkey.pem');
			// Gone between the panel's own look at it and Dovecot's.
			fault = (name) => void (name === 'dovecot.staged' && existsSync(key) && renameSync(key, `${key}.gone`));
			const answer = await apply();
			fault = undefined;
			renameSync(`${key}.gone`, key);
			expect(answer.outcome).toBe('failed');
			expect(output(answer, 'dovecot')).toMatch(/Dovecot refuses its new configuration[\s\S]*privkey\.pem/);
			expect(lines()).toEqual(before);
			expect(await refusal(first().address)).toBeNull();
		}, 60_000);

		it('is put back together with KumoMTA’s lines when nobody can sign in', async () => {
			await edit();
			const before = lines();
			const passwd = (text: string) => text.replace(/^# kumomta-ui revision (\S+)\n[\s\S]*/, '$1');
			// The account of the look disappears under it: a login that fails for a reason of the server's.
			fault = (name) => {
				if (name !== 'dovecot.probe-account') return;
				writeFileSync(join(place.etc, 'kumomta-ui', passwd(conf()), 'probe'), '');
			};
			const answer = await apply();
			fault = undefined;
			expect(answer.outcome).toBe('reverted');
			expect(output(answer, 'probe')).toMatch(
				/Nobody can sign in to Dovecot\.[\s\S]*login: User name or password is wrong/
			);
			expect(output(answer, 'revert')).toMatch(/is live again\.[\s\S]*Dovecot’s files are as they were before\./);
			expect(lines()).toEqual(before);
			expect(await refusal(first().address)).toBeNull();
		}, 120_000);

		it.each(['dovecot.before-rename', 'dovecot.after-rename', 'refresh.before'])(
			'is put back when the disk fails at %s',
			async (moment) => {
				await edit();
				const before = lines();
				fault = (name) => {
					if (name === moment) throw Object.assign(new Error('EIO'), { code: 'EIO' });
				};
				const answer = await apply();
				fault = undefined;
				expect([answer.outcome, lines()]).toEqual(['reverted', before]);
				expect(await refusal(first().address)).toBeNull();
			},
			60_000
		);

		it('follows KumoMTA’s live lines when the panel died between the two renames', async () => {
			const roots = policyRoots(app.env.kumomtaRoot);
			const [oldInit, oldConf] = lines();
			await edit();
			expect((await apply()).outcome).toBe('applied');
			const [, newConf] = lines();
			writeFileSync(join(place.etc, 'dovecot.conf'), oldConf ?? '');
			await recoverApplies(app);
			expect(conf()).toBe(newConf);
			// And the other way: KumoMTA's lines are those of before, whose files are made again where they are gone.
			writeFileSync(roots.init, oldInit ?? '');
			rmSync(join(place.etc, 'kumomta-ui', /revision (\S+)/.exec(oldConf ?? '')?.[1] ?? 'x'), { recursive: true });
			await recoverApplies(app);
			expect(conf()).toBe(oldConf);
			expect(await findMailDrift(app, roots, await readLive(app.host, roots))).toEqual([]);
			expect(await refusal(first().address)).toBeNull();
		}, 60_000);

		it('sees a passwd-file and a dovecot.conf that were edited, and refuses to write over them unasked', async () => {
			await edit();
			writeFileSync(join(place.etc, 'dovecot.conf'), `${conf()}# by hand\n`);
			const { hash } = await getPreview(app);
			await expect(applyPending(app, who, { expectedHash: hash })).rejects.toMatchObject({
				detail: { reason: 'drift' }
			});
			const answer = await applyPending(app, who, { expectedHash: hash, overwriteDrift: true });
			expect(answer.outcome).toBe('applied');
			expect(conf()).not.toContain('by hand');
		}, 60_000);

		it('writes through no symbolic link that lies where a mailbox belongs', async () => {
			const elsewhere = join(dirname(place.mailRoot), 'elsewhere');
			mkdirSync(elsewhere);
			rmSync(maildir(third), { recursive: true });
			symlinkSync(elsewhere, maildir(third));
			await edit();
			const before = lines();
			const answer = await apply();
			expect([answer.outcome, output(answer, 'dovecot')]).toEqual([
				'failed',
				expect.stringMatching(/symbolic link|not a directory/)
			]);
			expect([lines(), readdirSync(elsewhere)]).toEqual([before, []]);
			rmSync(maildir(third));
			expect((await apply()).outcome).toBe('applied');
		}, 60_000);
	});

	it('logged no panic, no error of its configuration and no password', () => {
		const log = place.log();
		expect(log).not.toMatch(/Panic|Fatal|pass phrase|\$2[aby]\$/);
	});
});
