import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { openTestApp, temporaryDirectory, testClock } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { makeCertificate } from '../../../../tests/support/certificate.ts';
import { domainName } from '../../../../tests/support/estate.ts';
import { makeKumodExecutableDouble } from '../../../../tests/support/kumod-executable-double.ts';
import { startKumodDouble } from '../../../../tests/support/kumod-http-double.ts';
import { fillEstate, testHost } from '../../../../tests/support/policy-app.ts';
import { refusalOf } from '../../../../tests/support/refusal.ts';
import { startSmtpDouble } from '../../../../tests/support/smtp-double.ts';
import type { SmtpDouble } from '../../../../tests/support/smtp-double.ts';
import { createKumod } from '../kumod/client.ts';
import { getSettingsRow, update } from '../settings/service.ts';
import { applyPending, restoreRevision } from './apply.ts';
import { closeCompiler } from './compile.ts';
import { refreshAgain } from './refresh-again.ts';
import { restoreKept } from './revert.ts';
import { readLive } from './live.ts';
import { policyRoots } from './roots.ts';
import { getPreview, getStatus } from './service.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
	for (const close of closers.splice(0).reverse()) await close();
});

const who = { actor: 'cli:0', name: 'the test', userId: null, sessionId: null };
const patience = { validateMs: 1500, aliveMs: 200, loadedMs: 200, greetMs: 500, pauseMs: 20 };
const times = { answerAfterMs: 15_000, patience };

type Behaviour = Parameters<typeof startSmtpDouble>[0];

async function smtp(behaviour: Behaviour, certificate?: { key: string; cert: string }): Promise<SmtpDouble> {
	const double = await startSmtpDouble(behaviour, certificate);
	closers.push(double.close);
	return double;
}

/** KumoMTA, its listeners and its service manager, all doubles; revision 1 is live. */
async function nodeWithKumomta(
	machine: Partial<TestApp['host']> = {},
	prepare: (roots: ReturnType<typeof policyRoots>) => void = () => {}
) {
	const bin = makeKumodExecutableDouble(temporaryDirectory());
	const api = await startKumodDouble();
	closers.push(api.close);
	const clock = testClock();
	const restarts: string[] = [];
	const systemd = {
		isDone: true,
		status: () => Promise.resolve({ isManaged: true, isActive: true, detail: 'active (running)' }),
		restart: (unit: string) => {
			restarts.push(unit);
			api.script.luaLoadCount = 1;
			return Promise.resolve({
				isDone: systemd.isDone,
				detail: systemd.isDone ? 'was restarted' : 'could not be restarted'
			});
		}
	};
	const app = await openTestApp({
		clock: clock.now,
		env: { KUMOD_BIN: bin.bin },
		host: { ...testHost(), systemd, ...machine },
		kumod: createKumod(api.url)
	});
	closers.push(() => closeCompiler(app));
	await fillEstate({ client: app.database.client, keys: app.keys }, { domains: 2, senders: 4 });
	await update(app, { watchSeconds: 0 });
	const [inbound, submission] = [await smtp('greets'), await smtp('greets', makeCertificate(temporaryDirectory()))];
	await listenOn(app, inbound.port, submission.port);
	const roots = policyRoots(app.env.kumomtaRoot);
	prepare(roots);
	const first = await apply(app);
	return { app, api, bin, clock, restarts, systemd, roots, first, ports: [inbound.port, submission.port] as const };
}

async function listenOn(app: TestApp, inbound: number, submission: number): Promise<void> {
	const listeners = [
		{ address: '127.0.0.1', port: inbound, purpose: 'inbound' },
		{ address: '127.0.0.1', port: submission, purpose: 'submission' }
	];
	await app.database.client.execute({ sql: 'UPDATE settings SET listeners = ?', args: [JSON.stringify(listeners)] });
}

const apply = async (app: TestApp) => applyPending(app, who, { expectedHash: (await getPreview(app)).hash }, times);
const edit = (app: TestApp, sql: string) => app.database.client.execute(sql);
const pauseOne = "UPDATE senders SET status = 'paused' WHERE seq = (SELECT min(seq) FROM senders)";
const stepOf = ({ steps }: Awaited<ReturnType<typeof apply>>, wanted: string) =>
	steps.find(({ name }) => name === wanted);

describe('an apply with KumoMTA', () => {
	it('validates, restarts for the first policy, and sees every listener greet', async () => {
		const { bin, first, restarts, ports } = await nodeWithKumomta();
		expect(first).toMatchObject({ outcome: 'applied', revision: 1 });
		expect(first.steps.map(({ name, status }) => (name === 'watch' ? 'watch' : status))).toEqual([
			...Array<string>(4).fill('ok'),
			'skipped',
			'ok',
			'skipped',
			...Array<string>(3).fill('ok'),
			'watch',
			'ok'
		]);
		expect(restarts).toEqual(['kumomta']);
		const validation = bin.calls().find((args) => args.includes('--validate')) ?? [];
		expect(validation[1]).toMatch(/\/init\.lua\.staged-1$/);
		for (const port of ports) expect(stepOf(first, 'probe')?.output).toContain(`127.0.0.1:${port}`);
	});

	it('gives the operator their own policy back although its HTTP listener is somewhere else', async () => {
		const { app, api, roots } = await nodeWithKumomta({}, ({ root, policy, packaged, init }) => {
			for (const directory of [join(root, 'share'), policy]) mkdirSync(directory, { recursive: true });
			for (const file of [packaged, init]) writeFileSync(file, '-- minimal\n');
		});
		api.script.notAlive = 'nobody here speaks for that policy';
		const back = await restoreKept(app, who, times);
		expect(back).toMatchObject({ outcome: 'applied', revision: 0 });
		expect(stepOf(back, 'probe')).toMatchObject({ status: 'skipped' });
		expect(stepOf(back, 'probe')?.output).toContain('not the panel’s');
		expect(readFileSync(roots.init, 'utf8')).toBe('-- minimal\n');
	});

	it('starts a new epoch for data, and once more 65 s after pools or sources changed', async () => {
		const { app, api, clock, restarts, roots } = await nodeWithKumomta();
		const bumps = () => api.requests.filter((line) => line === 'POST /api/admin/bump-config-epoch').length;
		await edit(app, pauseOne);
		expect(await apply(app)).toMatchObject({ outcome: 'applied', revision: 2 });
		clock.advance(66_000);
		await refreshAgain(app);
		expect(bumps()).toBe(1);
		await edit(app, 'UPDATE pool_sources SET weight = weight + 1');
		expect(await apply(app)).toMatchObject({ outcome: 'applied', revision: 3 });
		expect(JSON.parse(readFileSync(roots.refreshDue, 'utf8'))).toMatchObject({ kind: 'bump' });
		await refreshAgain(app);
		expect(bumps()).toBe(2);
		clock.advance(65_000);
		await refreshAgain(app);
		await refreshAgain(app);
		expect(bumps()).toBe(3);
		const audited = 'SELECT actor, outcome FROM audit_entries WHERE action = ?';
		const { rows } = await app.database.client.execute({ sql: audited, args: ['policy.refresh'] });
		expect(rows.map((row) => [row['actor'], row['outcome']])).toEqual([['job:policy.refresh-again', 'ok']]);
		expect(restarts).toEqual(['kumomta']);
	});

	it.each([
		[{ validate: 1, stdout: 'Record: unknown field lisen\n', stderr: '' }, ['code 1', 'unknown field lisen']],
		[
			{ validate: 1, stdout: '', stderr: 'Error evaluating\n  [string "/srv/etc/policy/init.lua.staged-2"]:12: bad\n' },
			['At init.lua.staged-2 line 12.']
		],
		[
			{ validate: 1, stdout: '', stderr: '...revisions/2-0a1b2c3d4e5f/program.lua:345: attempt to index nil\n' },
			['At program.lua line 345.']
		],
		[{ validate: 'signal', stdout: '', stderr: '' }, ['signal SIGSEGV']],
		[{ validate: 'hang', stdout: 'so far', stderr: '' }, ['did not finish in 1.5 s and was ended', 'so far']]
	] as const)('leaves what is live when KumoMTA refuses: %j', async (behaviour, words) => {
		const { app, api, bin, roots } = await nodeWithKumomta();
		const before = readFileSync(roots.init, 'utf8');
		bin.set(behaviour);
		await edit(app, pauseOne);
		const [answer, asked] = [await apply(app), api.requests.length];
		expect(answer.outcome).toBe('failed');
		expect(answer.steps.at(-1)?.name).toBe('validate');
		for (const word of words) expect(stepOf(answer, 'validate')?.output).toContain(word);
		expect(readFileSync(roots.init, 'utf8')).toBe(before);
		expect(api.requests.slice(asked)).toEqual([]);
		bin.set({ validate: 0 });
		expect(await apply(app)).toMatchObject({ outcome: 'applied', revision: 3 });
	});

	it.each(['2025.12.02-67ee9e96', '2026.03.03-ffffffff', 'no version'])('refuses KumoMTA %s', async (version) => {
		const { app, bin } = await nodeWithKumomta();
		bin.set({ version });
		await edit(app, pauseOne);
		const reason = version === 'no version' ? 'kumomta-unknown-version' : 'kumomta-too-old';
		expect(await refusalOf(apply(app))).toMatchObject({ code: 'PRECONDITION_FAILED', reason });
		expect(await getStatus(app, { waitMs: 10_000 })).toMatchObject({ liveRevision: 1, dirty: true });
	});

	it('refuses a kumod that cannot be run', async () => {
		const { app, bin } = await nodeWithKumomta();
		chmodSync(bin.bin, 0o644);
		await edit(app, pauseOne);
		expect(await refusalOf(apply(app))).toMatchObject({ code: 'PRECONDITION_FAILED', reason: 'kumod-not-runnable' });
	});

	it.each<[string, (node: Awaited<ReturnType<typeof nodeWithKumomta>>) => void | Promise<void>, string, string]>([
		['the epoch endpoint fails', ({ api }) => void (api.script.bumpFails = 'Error: no'), pauseOne, 'HTTP 500'],
		['it is not alive', ({ api }) => void (api.script.notAlive = 'load shedding'), pauseOne, 'load shedding'],
		['no Lua context is made', ({ api }) => void (api.script.loadsNothing = true), pauseOne, 'no new Lua context'],
		[
			'the restart fails',
			({ systemd }) => void (systemd.isDone = false),
			"UPDATE settings SET hostname = 'new.example.net'",
			'could not be restarted'
		]
	])('puts the revision before back when %s', async (_, breakIt, sql, evidence) => {
		const node = await nodeWithKumomta();
		const { app, roots } = node;
		const before = readFileSync(roots.init, 'utf8');
		await edit(app, sql);
		await breakIt(node);
		const answer = await apply(app);
		expect(answer.outcome).toBe('reverted');
		expect(answer.steps.map(({ output }) => output).join('\n')).toContain(evidence);
		expect(stepOf(answer, 'revert')?.output).toContain('Revision 1-');
		expect(readFileSync(roots.init, 'utf8')).toBe(before);
		expect(await getStatus(app, { waitMs: 10_000 })).toMatchObject({ liveRevision: 1, dirty: true });
	});

	it.each<[Behaviour, number, string]>([
		['silent', 0, 'no answer'],
		['refuses', 0, '421 4.3.0'],
		['no-starttls', 1, 'does not offer STARTTLS'],
		['broken-tls', 1, 'does not greet']
	])('puts the revision before back when a listener is %s', async (behaviour, which, evidence) => {
		const { app, ports } = await nodeWithKumomta();
		const { port } = await smtp(behaviour);
		await listenOn(app, which === 0 ? port : ports[0], which === 1 ? port : ports[1]);
		const answer = await apply(app);
		expect(answer.outcome).toBe('reverted');
		expect(stepOf(answer, 'probe')?.output).toContain(evidence);
		expect(stepOf(answer, 'revert')).toMatchObject({ status: 'ok' });
		expect((await getStatus(app)).liveRevision).toBe(1);
	});
});

describe.runIf(process.getuid?.() === 0)('an apply by root where a user kumod exists', () => {
	const kumod = { uid: 65_534, gid: 65_534 };

	it('gives each file the owner and mode that KumoMTA can read, and drops to kumod for the validation', async () => {
		const { app, bin, roots } = await nodeWithKumomta({ findUser: () => kumod });
		const access = (path: string) => {
			const { uid, gid, mode } = statSync(path);
			return `${uid}:${gid} ${(mode & 0o7777).toString(8)}`;
		};
		const directory = join(roots.revisions, readdirSync(roots.revisions)[0] ?? '');
		for (const path of [roots.policy, roots.revisions, directory, roots.dkim])
			expect([path, access(path)]).toEqual([path, '0:65534 750']);
		for (const name of readdirSync(directory))
			expect([name, access(join(directory, name))]).toEqual([name, '0:65534 640']);
		expect(access(roots.init)).toBe('0:65534 640');
		expect(access(join(roots.dkim, domainName(0), 'k1.key'))).toBe('65534:65534 600');
		expect(bin.calls().find((args) => args.includes('--validate'))).toEqual(
			expect.arrayContaining(['--user', 'kumod'])
		);
		expect(app.env.kumodBin).toBe(bin.bin);
	});

	it('refuses a key file that kumod does not own, with the command that mends it', async () => {
		const { app, roots } = await nodeWithKumomta({ findUser: () => kumod });
		const path = join(roots.dkim, domainName(0), 'k1.key');
		chownSync(path, 0, 0);
		await edit(app, pauseOne);
		const answer = await apply(app);
		expect(answer.outcome).toBe('failed');
		expect(stepOf(answer, 'stage')?.output).toContain(`chown kumod:kumod ${path}`);
		expect((await getStatus(app)).liveRevision).toBe(1);
	});
});

describe('a refresh that is owed', () => {
	it('stays owed when only data is applied before its time, and after a change was put back', async () => {
		const { app, api, clock, roots } = await nodeWithKumomta();
		const due = () => JSON.parse(readFileSync(roots.refreshDue, 'utf8')) as { revision: string; dueAt: number };
		await edit(app, 'UPDATE pool_sources SET weight = weight + 1');
		await apply(app);
		const { dueAt } = due();
		clock.advance(10_000);
		await edit(app, pauseOne);
		await apply(app);
		expect(due()).toMatchObject({ dueAt, revision: expect.stringMatching(/^3-/) as string });
		api.script.loadsNothing = true;
		await edit(app, 'UPDATE pool_sources SET weight = weight + 1');
		expect((await apply(app)).outcome).toBe('reverted');
		expect(due()).toMatchObject({ dueAt: clock.now() + 65_000, revision: expect.stringMatching(/^3-/) as string });
	});

	it('is forgotten when another revision is live', async () => {
		const { app, api, clock, roots } = await nodeWithKumomta();
		await edit(app, 'UPDATE pool_sources SET weight = weight + 1');
		await apply(app);
		await edit(app, pauseOne);
		const asked = api.requests.length;
		const stale = readFileSync(roots.refreshDue, 'utf8');
		clock.advance(66_000);
		await apply(app);
		await app.host.files.replaceFile(roots.refreshDue, stale, { mode: 0o640 });
		clock.advance(100_000);
		const applied = api.requests.length;
		await refreshAgain(app);
		expect(applied).toBeGreaterThan(asked);
		expect(api.requests.length).toBe(applied);
		expect(await app.host.files.stat(roots.refreshDue)).toBeUndefined();
	});
});

describe('KumoMTA’s HTTP API', () => {
	it('is spoken to as the revision that runs wants it, whatever Settings say by then', async () => {
		const { app, api, systemd, roots } = await nodeWithKumomta();
		systemd.restart = async () => {
			const live = await readLive(app.host, roots);
			const directory = 'revision' in live ? join(roots.revisions, live.revision) : '';
			const isClosed = readFileSync(join(directory, 'node.toml'), 'utf8').includes('mode = "credential"');
			const { httpApiPassword } = await getSettingsRow(app.db);
			const password = app.keys.panel.open(httpApiPassword ?? '', 'settings.httpApi.password').open();
			api.script.credential = isClosed ? password : undefined;
			api.script.luaLoadCount = 1;
			return { isDone: true, detail: 'was restarted' };
		};
		for (const httpApi of ['credential', 'trusted'] as const) {
			await update(app, { httpApi });
			expect((await apply(app)).outcome).toBe('applied');
		}
		expect(await restoreRevision(app, who, { number: 2 }, times)).toMatchObject({ outcome: 'applied', revision: 4 });
		await edit(app, 'UPDATE pool_sources SET weight = weight + 1');
		expect(await restoreRevision(app, who, { number: 3 }, times)).toMatchObject({ outcome: 'applied', revision: 5 });
	});
});
