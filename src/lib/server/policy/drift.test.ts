import { chmodSync, copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestApp, testClock } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { domainName, estateId } from '../../../../tests/support/estate.ts';
import { absentKumod, estateKeyText, fillEstate, testHost } from '../../../../tests/support/policy-app.ts';
import { applyPending } from './apply.ts';
import { closeCompiler } from './compile.ts';
import { driftFile, listDrift } from './drift-detail.ts';
import { policyRoots } from './roots.ts';
import { getPreview, getStatus } from './service.ts';

const who = { actor: 'cli:0', name: 'the test', userId: null, sessionId: null };
const clock = testClock();
let app: TestApp;
let directory: string;
const roots = () => policyRoots(app.env.kumomtaRoot);
const at = (name: string) => join(directory, name);
const pathOf = (name: string) => join('revisions', directory.slice(roots().revisions.length + 1), name);
const apply = async (wishes = {}) => applyPending(app, who, { expectedHash: (await getPreview(app)).hash, ...wishes });
const linesOf = async (path: string) =>
	((await driftFile(app, { path })).lines ?? []).map(({ kind, text }) => `${kind} ${text}`);

/** Overwrites in place, as an editor would not: the mode stays. */
const edit = (name: string, change: (text: string) => string) =>
	writeFileSync(at(name), change(readFileSync(at(name), 'utf8')));

beforeEach(async () => {
	app = await openTestApp({ host: testHost(), kumod: absentKumod(), clock: clock.now });
	await fillEstate({ client: app.database.client, keys: app.keys }, { domains: 2, senders: 4 });
	const { revision } = await apply();
	directory = join(roots().revisions, `${revision}-${(await getStatus(app)).liveHash?.slice(0, 12)}`);
});
afterEach(async () => {
	await closeCompiler(app);
	app.close();
});

describe('an edited file is shown against what it should be', () => {
	it('nothing drifts of its own', async () => {
		expect(await listDrift(app)).toEqual({ revision: 1, total: 0, items: [] });
		expect(await driftFile(app, { path: pathOf('node.toml') })).toMatchObject({ isSame: true, lines: null, now: null });
	});

	it('node.toml, made anew from what the manifest keeps', async () => {
		edit('node.toml', (text) => text.replace('hostname = "mta.example.net"', 'hostname = "other.example.net"'));
		const lines = await linesOf(pathOf('node.toml'));
		expect(lines).toContain('removed hostname = "mta.example.net"');
		expect(lines).toContain('added hostname = "other.example.net"');
		expect((await listDrift(app)).items).toMatchObject([
			{ path: pathOf('node.toml'), what: 'changed', needsOverwrite: true }
		]);
	});

	it('node.toml of a later revision too, with the credential of the API left out', async () => {
		await app.database.client.execute('DELETE FROM senders WHERE id = ?', [estateId('sender', 3)]);
		const { revision } = await apply();
		directory = join(roots().revisions, `${revision}-${(await getStatus(app)).liveHash?.slice(0, 12)}`);
		edit('node.toml', (text) => `${text}password = "tiger-4711"\n`);
		const answer = await driftFile(app, { path: pathOf('node.toml') });
		expect(answer.was?.sha256).toMatch(/^[0-9a-f]{64}$/);
		expect(answer).toMatchObject({ added: 1, removed: 0, note: 'What may be a secret is hidden.' });
		expect(JSON.stringify(answer)).not.toContain('tiger-4711');
	});

	it('program.lua, from the panel itself; what was put in is masked, what is ours is not', async () => {
		edit('program.lua', (text) => `local token = 'tiger-4711'\n${text}`);
		const answer = await driftFile(app, { path: pathOf('program.lua') });
		expect(answer).toMatchObject({ added: 1, removed: 0 });
		expect(JSON.stringify(answer)).not.toContain('tiger-4711');
		expect(answer.lines?.filter(({ kind }) => kind === 'same').some(({ text }) => text.includes('hidden'))).toBe(false);
	});

	it('init.lua, and what overwriting makes of it', async () => {
		writeFileSync(roots().init, `${readFileSync(roots().init, 'utf8')}print('hello')\n`);
		expect(await linesOf('init.lua')).toContain("added print('hello')");
		const [item] = (await listDrift(app)).items;
		expect(item?.then).toContain('init.lua.previous');
		expect((await apply({ overwriteDrift: true })).outcome).toBe('applied');
		expect(readFileSync(roots().previous, 'utf8')).toContain("print('hello')");
		expect((await listDrift(app)).total).toBe(0);
	});

	it('a missing file as all its lines gone', async () => {
		rmSync(at('shaping.toml'));
		const lines = await linesOf(pathOf('shaping.toml'));
		expect(lines).toHaveLength(1);
		expect(lines[0]).toMatch(/^removed # Written by KumoMTA UI/);
	});

	it('directory.sqlite in words, without a verifier', async () => {
		const file = at('directory.sqlite');
		const db = new DatabaseSync(file);
		const address = `s000001@${domainName(0)}`;
		db.exec(`UPDATE sender SET value = json_set(value, '$.pool', 'elsewhere') WHERE key = '${address}'`);
		db.exec(`INSERT INTO sender VALUES ('intruder@${domainName(0)}', '{"hash":"${'ab'.repeat(32)}"}')`);
		db.exec("DELETE FROM dkim_key WHERE key LIKE '%'");
		db.close();
		const answer = await driftFile(app, { path: pathOf('directory.sqlite') });
		expect(answer.rows).toMatchObject({ added: 1, changed: 1, removed: 2 });
		expect(answer.rows?.rows).toContain(`Sender ${address}: pool main → elsewhere`);
		expect(answer.rows?.rows.join()).toContain(`intruder@${domainName(0)}`);
		expect(JSON.stringify(answer)).not.toContain('ab'.repeat(32));
		writeFileSync(file, 'no database');
		expect((await driftFile(app, { path: pathOf('directory.sqlite') })).note).toContain('no database');
	});

	it('no file outside of what drifts is ever read', async () => {
		edit('node.toml', (text) => `${text}# more\n`);
		for (const path of ['/etc/passwd', '../../secret.key', pathOf('../../init.lua'), pathOf('program.lua')])
			expect(await driftFile(app, { path })).toMatchObject({ isSame: true, lines: null, was: null, now: null });
	});
});

describe('what an apply mends by itself, or refuses for a reason of its own', () => {
	const key = () => join(roots().dkim, domainName(0), 'k1.key');
	const name = `dkim/${domainName(0)}/k1.key`;

	it('a mode that lets others write: the next apply gives the right one, without being told', async () => {
		chmodSync(at('program.lua'), 0o666);
		expect((await getStatus(app)).drift).toEqual([
			{ path: pathOf('program.lua'), what: 'access', needsOverwrite: false }
		]);
		expect((await apply()).outcome).toBe('applied');
		expect((await listDrift(app)).total).toBe(0);
	});

	it('a missing key file comes back', async () => {
		rmSync(key());
		expect((await listDrift(app)).items).toMatchObject([{ path: name, what: 'missing', needsOverwrite: false }]);
		expect((await apply()).outcome).toBe('applied');
		expect(readFileSync(key(), 'utf8')).toBe(estateKeyText(0));
	});

	it('a key file of another key is told, its text never, and an apply stops', async () => {
		renameSync(key(), `${key()}.away`);
		copyFileSync(join(roots().dkim, domainName(1), 'k1.key'), key());
		chmodSync(key(), 0o600);
		const { items } = await listDrift(app);
		expect(items).toMatchObject([{ path: name, what: 'changed', needsOverwrite: false }]);
		const answer = await driftFile(app, { path: name });
		expect(JSON.stringify([items, answer])).not.toContain(estateId('key text', 1));
		expect(answer.lines).toBeNull();
		expect((await apply()).outcome).toBe('failed');
	});

	it('a key that others may read', async () => {
		chmodSync(key(), 0o644);
		expect((await listDrift(app)).items).toMatchObject([{ path: name, what: 'access' }]);
		expect((await listDrift(app)).items[0]?.then).toContain('chmod 600');
	});

	it('the status remembers the last look for 30 seconds and then looks again', async () => {
		expect((await getStatus(app)).drift).toEqual([]);
		rmSync(key());
		expect((await getStatus(app)).drift).toEqual([]);
		clock.advance(30_000);
		expect((await getStatus(app, { waitMs: 60_000 })).drift).toEqual([
			{ path: name, what: 'missing', needsOverwrite: false }
		]);
	});
});
