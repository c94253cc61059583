import { execFileSync, spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import {
	accessSync,
	chmodSync,
	chownSync,
	existsSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findUser } from '../../src/lib/server/host/users.ts';
import { initLines, revisionIn } from '../../src/lib/server/policy/live.ts';
import { readManifest } from '../../src/lib/server/policy/revision.ts';
import { policyRoots } from '../../src/lib/server/policy/roots.ts';
import { sha256 } from '../../src/lib/server/policy/live.ts';
import { domainName } from '../support/estate.ts';
import { makeKumodExecutableDouble } from '../support/kumod-executable-double.ts';
import type { KumodExecutableDouble } from '../support/kumod-executable-double.ts';
import { startKumodDouble } from '../support/kumod-http-double.ts';
import type { KumodDouble } from '../support/kumod-http-double.ts';
import { startSmtpDouble } from '../support/smtp-double.ts';
import type { SmtpDouble } from '../support/smtp-double.ts';

/**
 * The privilege split with the users and modes of an installation: the panel runs as kumomta-ui, the applier as root from
 * its own entry, and a script stands in for the path unit. Doubles are KumoMTA and systemd.
 */
const repository = resolve(import.meta.dirname, '../..');
const users = ['kumomta-ui', 'kumod', 'vmail'];

function whyNot(): string | undefined {
	if (process.getuid?.() !== 0) return 'only root can make users';
	if (existsSync('/opt/kumomta') || existsSync('/etc/systemd/system/kumomta-ui.service'))
		return 'this is a real installation';
	if (!existsSync('/usr/sbin/useradd')) return 'there is no useradd';
	for (let path = repository; path !== '/'; path = dirname(path))
		if ((statSync(path).mode & 0o005) !== 0o005) return `other users cannot read ${path}`;
	return undefined;
}

const reason = whyNot();
if (reason !== undefined) process.stderr.write(`The privilege split is not tried: ${reason}.\n`);

let base: string;
let made: string[];
let kumod: KumodDouble;
let smtp: SmtpDouble;
let program: KumodExecutableDouble;
let placesFile: string;
const at = (path: string) => join(base, path);
const roots = () => policyRoots(at('kumomta'));

const owner = (path: string) => {
	const { mode, uid, gid } = lstatSync(path);
	const name = (id: number, file: string) =>
		readFileSync(file, 'utf8')
			.split('\n')
			.map((line) => line.split(':'))
			.find((parts) => Number(parts[2]) === id)?.[0] ?? String(id);
	return `${(mode & 0o7777).toString(8)} ${name(uid, '/etc/passwd')}:${name(gid, '/etc/group')}`;
};

function makeUsers(): string[] {
	const missing = users.filter((name) => findUser(name) === undefined);
	for (const name of missing)
		execFileSync('/usr/sbin/useradd', [
			'--system',
			'--user-group',
			'--no-create-home',
			'--shell',
			'/usr/sbin/nologin',
			name
		]);
	return missing;
}

/** As the installer makes them. */
function makeDirectories(): void {
	const give = (path: string, mode: number, user: string, group = user) => {
		const [uid, gid] = [findUser(user)?.uid ?? 0, findUser(group)?.gid ?? 0];
		mkdirSync(at(path), { recursive: true });
		chownSync(at(path), uid, gid);
		chmodSync(at(path), mode);
	};
	chmodSync(base, 0o755);
	give('data', 0o700, 'kumomta-ui');
	give('data/applier', 0o700, 'kumomta-ui');
	give('kumomta', 0o755, 'root');
	for (const path of [
		'kumomta/etc',
		'kumomta/etc/policy',
		'kumomta/etc/policy/revisions',
		'kumomta/etc/tls',
		'kumomta/etc/dkim'
	])
		give(path, 0o750, 'root', 'kumod');
	give('mail', 0o750, 'vmail');
}

function writePlaces(): void {
	const places = {
		...{ webUser: 'kumomta-ui', inbox: at('data/applier'), results: at('results'), dataDir: at('data') },
		...{ kumomtaRoot: at('kumomta'), mailRoot: at('mail'), dovecotEtc: at('dovecot') },
		...{ kumodBin: program.bin, kumodApi: kumod.url, imapPort: 993, pop3Port: 995 }
	};
	placesFile = at('places.json');
	writeFileSync(placesFile, JSON.stringify(places), { mode: 0o600 });
}

const node = (args: string[]) => ['--no-warnings', '--experimental-strip-types', ...args];

/** The panel's process. @returns what it printed */
async function asPanel<T>(...args: string[]): Promise<T> {
	const { uid, gid } = findUser('kumomta-ui') ?? { uid: -1, gid: -1 };
	const child = spawn(process.execPath, node([join(repository, 'tests/support/split-child.ts'), ...args]), {
		...{ uid, gid, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] },
		env: {
			...{
				PATH: '/usr/bin:/bin',
				DATA_DIR: at('data'),
				APPLIER_DIR: at('data/applier'),
				APPLIER_RESULTS: at('results')
			},
			...{ KUMOMTA_ROOT: at('kumomta'), MAIL_ROOT: at('mail'), KUMOD_API: kumod.url }
		}
	});
	const { text, code } = await outputOf(child);
	if (code !== 0) throw new Error(`The panel's process ended with ${code}:\n${text}`);
	return JSON.parse(text.trim().split('\n').at(-1) ?? 'null') as T;
}

async function outputOf(child: ChildProcess): Promise<{ text: string; code: number | null }> {
	let text = '';
	for (const stream of [child.stdout, child.stderr]) stream?.on('data', (part: Buffer) => (text += part.toString()));
	const code = await new Promise<number | null>((done) => child.once('close', done));
	return { text, code };
}

const entry = () => node([join(repository, 'src/applier/main.ts'), '--places', placesFile]);

/** The applier's own entry, as root. */
const runApplierOnce = () => outputOf(spawn(process.execPath, entry(), { cwd: '/', env: {} }));

/** The one that may kill itself. @returns the moments that passed */
async function runDeadly(moment: number): Promise<string[]> {
	const child = spawn(
		process.execPath,
		node([join(repository, 'tests/support/applier-child.ts'), placesFile, String(moment)]),
		{ cwd: '/', env: {} }
	);
	return (await outputOf(child)).text.trim().split('\n').filter(Boolean);
}

const requests = () => (existsSync(at('data/applier/requests')) ? readdirSync(at('data/applier/requests')) : []);

/** What the path unit does, once or until it is stopped: starts it as soon as something lies there. */
function serve(start: () => Promise<unknown> = runApplierOnce): () => Promise<void> {
	let isOver = false;
	const serving = (async () => {
		while (!isOver) {
			if (requests().length > 0) await start();
			await sleep(20);
		}
	})();
	return async () => {
		isOver = true;
		await serving;
	};
}

async function whileServed<T>(work: Promise<T>, start?: () => Promise<unknown>): Promise<T> {
	const stop = serve(start);
	try {
		return await work;
	} finally {
		await stop();
	}
}

interface Applied {
	applyId: string;
	outcome: string;
	revision: number | null;
	steps: { name: string; status: string; output: string }[];
}

describe.skipIf(reason !== undefined)('the privilege split', () => {
	beforeAll(async () => {
		base = mkdtempSync(join(tmpdir(), 'kumomta-ui-split-'));
		made = makeUsers();
		makeDirectories();
		kumod = await startKumodDouble();
		program = makeKumodExecutableDouble(base);
		writePlaces();
		const prepared = await outputOf(spawn(process.execPath, [...entry(), '--prepare'], { cwd: '/', env: {} }));
		expect(prepared).toEqual({ text: '', code: 0 });
		smtp = await startSmtpDouble('greets');
		await asPanel('fill', String(smtp.port));
	}, 120_000);

	afterAll(async () => {
		await kumod.close();
		await smtp.close();
		for (const name of made) execFileSync('/usr/sbin/userdel', [name]);
		rmSync(base, { recursive: true, force: true });
	});

	it('an apply of the panel goes live as root’s work, validated as kumod', async () => {
		const answer = await whileServed(asPanel<Applied>('apply'));
		expect(answer).toMatchObject({ outcome: 'applied', revision: 1 });
		const validated = answer.steps.find(({ name }) => name === 'validate');
		expect(validated?.output).toContain('KumoMTA accepts the policy.');
		expect(program.calls().find((args) => args.includes('--validate'))).toEqual(
			expect.arrayContaining(['--user', 'kumod'])
		);
		expect(kumod.requests).toContain('GET /api/check-liveness/v1');
		const revision = revisionIn(readFileSync(roots().init, 'latin1'))?.revision ?? '';
		const key = join(roots().dkim, domainName(0), 'k1.key');
		expect(
			Object.fromEntries(
				[
					roots().init,
					join(roots().revisions, revision),
					join(roots().revisions, revision, 'directory.sqlite'),
					key,
					at('results/state.json'),
					at('results/private'),
					at('results/private/applier.key')
				].map((path) => [path.slice(base.length), owner(path)])
			)
		).toEqual({
			'/kumomta/etc/policy/init.lua': '640 root:kumod',
			[`/kumomta/etc/policy/revisions/${revision}`]: '750 root:kumod',
			[`/kumomta/etc/policy/revisions/${revision}/directory.sqlite`]: '640 root:kumod',
			[`/kumomta/etc/dkim/${domainName(0)}/k1.key`]: '600 kumod:kumod',
			'/results/state.json': '644 root:root',
			'/results/private': '700 root:root',
			'/results/private/applier.key': '600 root:root'
		});
		const status = await whileServed(asPanel<{ liveRevision: number; dirty: boolean; drift: unknown[] }>('settle'));
		expect(status).toMatchObject({ liveRevision: 1, dirty: false, drift: [] });
	});

	const closed: [what: string, path: () => string][] = [
		['read', () => roots().init],
		['write', () => roots().init],
		['remove', () => roots().init],
		['replace', () => roots().init],
		['chmod', () => roots().init],
		['chown', () => roots().init],
		['list', () => roots().policy],
		['create', () => roots().policy],
		['list', () => roots().revisions],
		['create', () => roots().revisions],
		['symlink', () => roots().policy],
		['list', () => roots().dkim],
		['read', () => join(roots().dkim, domainName(0), 'k1.key')],
		['write', () => join(roots().dkim, domainName(0), 'k1.key')],
		['link', () => join(roots().dkim, domainName(0), 'k1.key')],
		['list', () => roots().tls],
		['create', () => roots().tls],
		['append', () => roots().custom],
		['create', () => at('kumomta')],
		['list', () => at('mail')],
		['create', () => at('mail')],
		['list', () => at('results/private')],
		['read', () => at('results/private/applier.key')],
		['link', () => at('results/private/applier.key')],
		['read', () => at('results/private/last-request')],
		['write', () => at('results/state.json')],
		['remove', () => at('results/state.json')],
		['replace', () => at('results/state.json')],
		['link', () => at('results/state.json')],
		['write', () => at('results/applier.pub')],
		['create', () => at('results')],
		['create', () => at('results/answers')],
		['read', () => placesFile],
		['write', () => placesFile]
	];
	let tried: Promise<string[]> | undefined;
	it.each(closed.map(([what, path], at) => ({ what, path, at })))(
		'the panel’s user cannot $what $path',
		async ({ at: which }) => {
			tried ??= asPanel<string[]>('try', JSON.stringify(closed.map(([what, path]) => [what, path()])));
			expect(['EACCES', 'EPERM']).toContain((await tried)[which]);
		}
	);

	it('the panel’s user reads what the applier says, and writes its own', async () => {
		const tries = [
			['read', at('results/state.json')],
			['read', at('results/applier.pub')],
			['list', at('results/answers')],
			['create', at('data/applier')]
		];
		expect(await asPanel('try', JSON.stringify(tries))).toEqual(tries.map(() => 'possible'));
		rmSync(at('data/applier/created'));
	});

	it('kumod reads its policy and its keys, and neither writes them nor reads the panel', () => {
		const { uid, gid } = findUser('kumod') ?? { uid: -1, gid: -1 };
		const shell = (command: string) =>
			spawnSync('/bin/sh', ['-c', command], { uid, gid, encoding: 'utf8', env: { PATH: '/usr/bin:/bin' } }).status;
		const key = join(roots().dkim, domainName(0), 'k1.key');
		expect(shell(`cat '${roots().init}' '${key}' >/dev/null`)).toBe(0);
		for (const command of [
			`echo x >>'${roots().init}'`,
			`touch '${roots().policy}/x'`,
			`ls '${at('data')}'`,
			`cat '${at('results/private/applier.key')}'`
		])
			expect(shell(`${command} 2>/dev/null`)).not.toBe(0);
	});

	it('what a forged request asks for, root does not do', async () => {
		const before = tree();
		const { uid, gid } = findUser('kumomta-ui') ?? { uid: -1, gid: -1 };
		const lay = (number: number, ...command: string[]) => {
			const path = join(at('data/applier/requests'), String(number));
			spawnSync('/bin/sh', ['-c', command.join(' ').replaceAll('%', path)], { uid, gid });
		};
		const last = Number(readFileSync(at('results/private/last-request'), 'utf8'));
		lay(last + 1, 'ln -s /etc/shadow %');
		lay(last + 2, `ln -s '${at('results/private/applier.key')}' %`);
		lay(last + 3, 'mkfifo %');
		lay(last + 4, 'mkdir -p %/a/b');
		lay(last + 5, 'head -c 100000 /dev/urandom >%');
		lay(last + 6, 'truncate -s 300M %');
		lay(
			last + 7,
			`printf '{"format":1,"ref":"../../../../x","by":"","credential":null,"wish":{"kind":"look"}}\\n"end"\\n' | gzip >%`
		);
		lay(
			last + 8,
			`printf '{"format":1,"ref":"aaaaaaaaaaaaaaaa","by":"x","credential":null,"wish":{"kind":"restore","number":9,"hash":"${'0'.repeat(64)}","from":"../../etc","watchSeconds":0,"confirmListeners":false,"takeOver":null,"overwriteDrift":false}}\\n"end"\\n' | gzip >%`
		);
		expect(requests().length).toBe(8);
		const { code } = await runApplierOnce();
		expect(code).toBe(0);
		expect(requests()).toEqual([]);
		expect(tree()).toEqual(before);
	});

	it('a link in place of its inbox leads root nowhere', async () => {
		const before = tree();
		const { uid, gid } = findUser('kumomta-ui') ?? { uid: -1, gid: -1 };
		const inbox = at('data/applier');
		const shell = (command: string) => spawnSync('/bin/sh', ['-c', command], { uid, gid });
		shell(`mv '${inbox}' '${inbox}.aside' && ln -s '${at('kumomta/etc')}' '${inbox}'`);
		const { code, text } = await runApplierOnce();
		expect(code).toBe(1);
		expect(text).toContain('a part of its path is a link');
		shell(`rm '${inbox}' && mv '${inbox}.aside' '${inbox}'`);
		expect(tree()).toEqual(before);
	});

	it('a revision with which KumoMTA does not greet is put back by root, and the panel is told', async () => {
		const before = readFileSync(roots().init, 'latin1');
		smtp.behave('refuses');
		await asPanel('pause', '0');
		const answer = await whileServed(asPanel<Applied>('apply'));
		smtp.behave('greets');
		expect(answer.outcome).toBe('reverted');
		expect(answer.steps.at(-2)?.name).toBe('revert');
		expect(readFileSync(roots().init, 'latin1')).toBe(before);
	});

	it('a panel that ends does not end the watch; another one takes the apply back', async () => {
		const before = readFileSync(roots().init, 'latin1');
		await asPanel('watch', '120');
		const stop = serve();
		try {
			const { applyId, outcome } = await asPanel<Applied>('apply', '10000');
			expect(outcome).toBe('running');
			await until(() => /"phase":"watching"/.test(answerText(applyId)));
			expect(readFileSync(roots().init, 'latin1')).not.toBe(before);
			expect(await asPanel('outcome', applyId)).toBe('running');
			await asPanel('take-back', applyId);
			await until(() => !/"outcome":"running"/.test(answerText(applyId)));
			expect(readFileSync(roots().init, 'latin1')).toBe(before);
			expect(await asPanel('outcome', applyId)).toBe('reverted');
		} finally {
			await stop();
			await asPanel('watch', '0');
		}
	});

	it('killed at any moment, one complete revision is live, and the next start settles it', async () => {
		await asPanel('pause', '1');
		const moments = await whileServed(asPanel<Applied>('apply'), () =>
			runDeadly(0).then((all) => all.length > 0 && counted.push(all.length))
		);
		expect(moments.outcome).toBe('applied');
		const all = Math.max(...counted);
		expect(all).toBeGreaterThan(40);
		const outcomes = new Set<string>();
		// From the first write of the stage to the last of the record: few, since each takes ten seconds.
		for (const part of [0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.95]) {
			const moment = Math.max(1, Math.floor(all * part));
			await asPanel('pause', '0');
			let isKilled = false;
			const start = async () => {
				const passed = await runDeadly(isKilled ? 0 : moment);
				if (passed.length >= moment) isKilled = true;
				assertComplete();
				// The unit starts again after a failure.
				if (isKilled) await runDeadly(0);
			};
			const answer = await whileServed(asPanel<Applied>('apply'), start);
			outcomes.add(answer.outcome);
			assertComplete();
			expect(unfinished(), `moment ${moment}`).toEqual([]);
			const status = await whileServed(asPanel<{ liveRevision: number; drift: unknown[] }>('settle'));
			expect(status.liveRevision, `moment ${moment}`).toBe(revisionIn(readFileSync(roots().init, 'latin1'))?.number);
			expect(status.drift).toEqual([]);
		}
		expect([...outcomes].sort()).toEqual(expect.arrayContaining(['failed']));
		expect(await whileServed(asPanel<Applied>('apply'))).toMatchObject({
			outcome: expect.stringMatching(/applied|unchanged/) as string
		});
	});
});

const counted: number[] = [];

const answerText = (ref: string) => {
	const path = at(`results/answers/${ref}.json`);
	return existsSync(path) ? readFileSync(path, 'utf8') : '';
};

async function until(isSo: () => boolean): Promise<void> {
	for (let waited = 0; !isSo(); waited += 50) {
		if (waited > 60_000) throw new Error('It did not happen within a minute.');
		await sleep(50);
	}
}

/** All of KumoMTA's and the applier's, but what it writes down of requests. */
function tree(): string[] {
	const lines: string[] = [];
	const look = (path: string) => {
		if (/last-request$|state\.json$|\.apply\.lock/.test(path)) return;
		const state = lstatSync(path);
		const content = state.isFile() ? sha256(readFileSync(path)) : '';
		lines.push([path, state.mode, state.uid, state.gid, content].join(' '));
		if (state.isDirectory())
			readdirSync(path)
				.sort()
				.forEach((name) => look(join(path, name)));
	};
	['kumomta', 'mail', 'results'].forEach((path) => look(at(path)));
	return lines.filter((line) => !line.includes('/answers/'));
}

/** init.lua is our two lines, whole, and every file that its revision has is as its manifest says. */
function assertComplete(): void {
	const text = readFileSync(roots().init, 'latin1');
	const revision = revisionIn(text)?.revision ?? '';
	expect(text).toBe(initLines(roots(), revision));
	const directory = join(roots().revisions, revision);
	for (const { path, sha256: hash } of readManifest(directory).files) {
		accessSync(join(directory, path));
		expect(sha256(readFileSync(join(directory, path)))).toBe(hash);
	}
}

const unfinished = () =>
	readdirSync(at('results/answers'))
		.filter((name) => /^[a-z0-9]{16}\.json$/.test(name))
		.filter(
			(name) =>
				(JSON.parse(readFileSync(at(`results/answers/${name}`), 'utf8')) as { outcome: string }).outcome === 'running'
		);
