import { writeFileSync, mkdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestApp } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { domainName, estateId } from '../../../../tests/support/estate.ts';
import { absentKumod, fillEstate, testHost } from '../../../../tests/support/policy-app.ts';
import { applyPending } from './apply.ts';
import { closeCompiler } from './compile.ts';
import { getRevision } from './history.ts';
import { policyRoots } from './roots.ts';
import { fileChanges, getEffects, groupChanges, listChanges, summarizeFiles } from './review.ts';
import { getPreview, getStatus } from './service.ts';

const who = { actor: 'cli:0', name: 'the test', userId: null, sessionId: null };
const verifier = 'ab'.repeat(32);
let app: TestApp;

const sql = (text: string, ...args: (string | number)[]) => app.database.client.execute({ sql: text, args });
const apply = async () => applyPending(app, who, { expectedHash: (await getPreview(app)).hash });

/** Revision 1 is live; two senders of one domain, one of another and the listeners have changed since. */
beforeEach(async () => {
	app = await openTestApp({ host: testHost(), kumod: absentKumod() });
	await fillEstate({ client: app.database.client, keys: app.keys }, { domains: 3, senders: 9 });
	mkdirSync(policyRoots(app.env.kumomtaRoot).policy, { recursive: true });
	expect((await apply()).outcome).toBe('applied');
	await sql(
		"UPDATE senders SET pool_id = ?, limit_count = 2000, limit_unit = 'perHour' WHERE id = ?",
		estateId('pool', 1),
		estateId('sender', 1)
	);
	await sql('UPDATE senders SET password_verifier = ? WHERE id = ?', verifier, estateId('sender', 2));
	await sql('DELETE FROM senders WHERE id = ?', estateId('sender', 3));
});
afterEach(async () => {
	await closeCompiler(app);
	app.close();
});

describe('differences by domain', () => {
	it('has one line for each object, with every field', async () => {
		const { items, counts, total } = await listChanges(app, { limit: 100, scope: 'sender' });
		expect(items[0]).toEqual({
			scope: 'sender',
			kind: 'changed',
			id: estateId('sender', 1),
			subject: `s000001@${domainName(0)}`,
			domain: domainName(0),
			text: `Sender s000001@${domainName(0)}: pool main → warm; limit unlimited → 2,000/h`,
			fields: [
				{ name: 'pool', from: 'main', to: 'warm' },
				{ name: 'limit', from: 'unlimited', to: '2,000/h' }
			]
		});
		expect(total).toBe(3);
		expect(counts).toMatchObject({ changed: 2, removed: 1, total: 3 });
		expect(counts.scopes).toEqual([{ scope: 'sender', added: 0, removed: 1, changed: 2, total: 3 }]);
	});

	it('is counted by domain, and each group holds what its count says', async () => {
		const { items, total } = await groupChanges(app, { limit: 100 });
		expect(total).toBe(items.length);
		for (const { domain, total: count } of items)
			expect((await listChanges(app, { domain, limit: 100 })).total).toBe(count);
	});

	it('pages groups and changes without losing or repeating one', async () => {
		const groups: unknown[] = [];
		const subjects: string[] = [];
		for (let cursor: string | undefined, more = true; more;) {
			const page = await groupChanges(app, { from: 0, limit: 1, cursor });
			groups.push(...page.items.map(({ domain }) => domain));
			cursor = page.nextCursor ?? undefined;
			more = cursor !== undefined;
		}
		for (let cursor: string | undefined, more = true; more;) {
			const page = await listChanges(app, { from: 0, limit: 2, cursor });
			subjects.push(...page.items.map(({ scope, text }) => `${scope} ${text}`));
			cursor = page.nextCursor ?? undefined;
			more = cursor !== undefined;
		}
		expect(new Set(groups).size).toBe(groups.length);
		expect(groups).toEqual([null, domainName(0), domainName(1), domainName(2)]);
		const whole = await listChanges(app, { from: 0, limit: 200 });
		expect(subjects).toEqual(whole.items.map(({ scope, text }) => `${scope} ${text}`));
		expect(whole.total).toBe(subjects.length);
	});

	it.each([
		[{ kind: 'removed' as const }, 1],
		[{ search: 'S000001@' }, 1],
		[{ search: '%' }, 0],
		[{ domain: domainName(2) }, 0],
		[{ domain: null }, 0]
	])('under the filter %j', async (filter, total) => {
		expect((await listChanges(app, { ...filter, limit: 100 })).total).toBe(total);
	});

	it('refuses a cursor of another filter', async () => {
		const { nextCursor } = await listChanges(app, { limit: 1 });
		await expect(listChanges(app, { limit: 1, kind: 'changed', cursor: nextCursor ?? '' })).rejects.toMatchObject({
			detail: { reason: 'cursor-mismatch' }
		});
	});
});

describe('exact differences', () => {
	it('of a sender are its JSON without the verifier', async () => {
		const key = `s000002@${domainName(0)}`;
		const answer = await fileChanges(app, { path: 'directory.sqlite', object: { scope: 'sender', key } });
		expect(JSON.stringify(answer)).not.toContain(verifier);
		expect(answer.lines?.filter(({ kind }) => kind === 'added').map(({ text }) => text)).toEqual([
			'\t"password": "not shown, changed"'
		]);
		expect((await fileChanges(app, { path: 'directory.sqlite' })).lines).toBeNull();
	});

	it('of node.toml are its lines', async () => {
		await sql("UPDATE settings SET hostname = 'mx.example.net'");
		const { lines, isSame } = await fileChanges(app, { path: 'node.toml' });
		expect(isSame).toBe(false);
		expect(lines).toContainEqual(expect.objectContaining({ kind: 'added', text: 'hostname = "mx.example.net"' }));
		expect(lines).toContainEqual(expect.objectContaining({ kind: 'removed', text: 'hostname = "mta.example.net"' }));
	});

	it('of custom.lua hide what may be a secret, and still show that it changed', async () => {
		writeFileSync(policyRoots(app.env.kumomtaRoot).custom, "local password = 'tiger-4711'\nreturn {}\n", {
			mode: 0o600
		});
		const answer = await fileChanges(app, { path: 'custom.lua' });
		expect(answer).toMatchObject({ was: null, added: 2, note: 'What may be a secret is hidden.' });
		expect(JSON.stringify(answer)).not.toContain('tiger-4711');
	});

	it('of custom.lua hide a secret whose table begins far above the change', async () => {
		const custom = (word: string) => `local passwords = {\n${'\n'.repeat(20)}\t['scott'] = '${word}'\n}\n`;
		const { custom: path } = policyRoots(app.env.kumomtaRoot);
		writeFileSync(path, custom('tiger-4711'), { mode: 0o600 });
		await apply();
		writeFileSync(path, custom('tiger-4712'), { mode: 0o600 });
		const answer = await fileChanges(app, { path: 'custom.lua' });
		expect(answer).toMatchObject({ added: 1, removed: 1, note: 'What may be a secret is hidden.' });
		expect(JSON.stringify(answer)).not.toMatch(/tiger-471/);
	});

	it('of init.lua are the two lines', async () => {
		const { lines } = await fileChanges(app, { path: 'init.lua' });
		expect(lines?.filter(({ kind }) => kind === 'added').map(({ text }) => text)[0]).toMatch(
			/^-- kumomta-ui revision 2-[0-9a-f]{12}$/
		);
	});
});

describe('which files differ', () => {
	const stateOf = async (names: { from?: number | 'pending'; to?: number | 'pending' }) =>
		Object.fromEntries((await summarizeFiles(app, names)).files.map(({ path, ...rest }) => [path, rest]));

	it('is told before one is opened: by lines, and by objects of the directory', async () => {
		await sql("UPDATE settings SET hostname = 'mx.example.net'");
		writeFileSync(policyRoots(app.env.kumomtaRoot).custom, 'return {}\n', { mode: 0o600 });
		// Of node.toml: the name, the host name, and the three keys that were new in revision 1.
		expect(await stateOf({})).toEqual({
			'init.lua': { state: 'name-only', added: 2, removed: 2, changed: null },
			'node.toml': { state: 'changed', added: 2, removed: 14, changed: null },
			'shaping.toml': { state: 'same', added: null, removed: null, changed: null },
			'custom.lua': { state: 'added', added: 1, removed: 0, changed: null },
			'program.lua': { state: 'same', added: null, removed: null, changed: null },
			'directory.sqlite': { state: 'changed', added: 0, removed: 1, changed: 2 }
		});
	});

	it('turned around, removed is added', async () => {
		const [there, back] = [await stateOf({ from: 1, to: 'pending' }), await stateOf({ from: 'pending', to: 1 })];
		expect(there['directory.sqlite']).toEqual({ state: 'changed', added: 0, removed: 1, changed: 2 });
		expect(back['directory.sqlite']).toEqual({ state: 'changed', added: 1, removed: 0, changed: 2 });
		const { counts } = await listChanges(app, { from: 'pending', to: 1, limit: 100 });
		expect(counts).toMatchObject({ added: 1, removed: 0, changed: 2 });
		expect((await getEffects(app, { from: 'pending', to: 1 })).refresh).toBe('bump');
	});
});

describe('the policy from before the panel', () => {
	const theirs =
		"local passwords = {\n\n\n\n\n\n\n\n\n\t['scott'] = 'tiger-4711'\n}\nkumo.on('init', function() end)\n";

	it('is compared by its files only, masked on whichever side it stands', async () => {
		const roots = policyRoots(app.env.kumomtaRoot);
		await expect(fileChanges(app, { from: 0, path: 'init.lua' })).rejects.toMatchObject({
			detail: { reason: 'no-such-revision' }
		});
		writeFileSync(roots.init, theirs);
		const seen = await fileChanges(app, { path: 'init.lua' });
		expect(seen.lines?.some(({ kind, text }) => kind === 'removed' && text.startsWith('kumo.on'))).toBe(true);
		const sha256 = (await getStatus(app)).foreign?.sha256 ?? '';
		expect(
			(await applyPending(app, who, { expectedHash: (await getPreview(app)).hash, takeOver: sha256 })).outcome
		).toBe('applied');
		for (const ends of [{ from: 0 }, { from: 1, to: 0 }]) {
			const answer = await fileChanges(app, { ...ends, path: 'init.lua' });
			expect(JSON.stringify(answer)).not.toContain('tiger-4711');
			expect(JSON.stringify(answer)).toContain("kumo.on('init'");
		}
		const { files } = await summarizeFiles(app, { from: 1, to: 0 });
		expect(files.map(({ path, state }) => [path, state])).toEqual([
			['init.lua', 'changed'],
			['node.toml', 'removed'],
			['shaping.toml', 'removed'],
			['program.lua', 'removed'],
			['directory.sqlite', 'removed']
		]);
		await expect(listChanges(app, { from: 1, to: 0, limit: 1 })).rejects.toMatchObject({
			detail: { reason: 'files-only' }
		});
	});
});

describe('what it means for the running server', () => {
	it('is an epoch for data', async () => {
		expect(await getEffects(app, {})).toMatchObject({ refresh: 'bump', reasons: [], secondBumpAfterSeconds: null });
		expect(await getEffects(app, { from: 1, to: 1 })).toMatchObject({ refresh: 'none', notes: [] });
	});

	it('is a second epoch for sources, whose running queues keep the old one', async () => {
		await sql("UPDATE sources SET ehlo_domain = 'new.example.net' WHERE id = ?", estateId('source', 1));
		const { refresh, secondBumpAfterSeconds, notes } = await getEffects(app, {});
		expect({ refresh, secondBumpAfterSeconds }).toEqual({ refresh: 'bump', secondBumpAfterSeconds: 65 });
		expect(notes.map(({ code }) => code)).toContain('sources-anew');
	});

	it('is a restart for listeners, and names each that drops and starts', async () => {
		const listeners = [
			{ address: '0.0.0.0', port: 25, purpose: 'inbound' },
			{ address: '0.0.0.0', port: 2587, purpose: 'submission' }
		];
		await sql('UPDATE settings SET listeners = ?', JSON.stringify(listeners));
		expect(await getEffects(app, {})).toMatchObject({
			refresh: 'restart',
			reasons: ['The listeners change.'],
			listeners: {
				staying: [listeners[0]],
				starting: [listeners[1]],
				dropping: [{ address: '0.0.0.0', port: 587, purpose: 'submission' }]
			}
		});
	});
});

it('custom.lua is masked among the files too', async () => {
	writeFileSync(policyRoots(app.env.kumomtaRoot).custom, "local password = 'tiger-4711'\nreturn {}\n", { mode: 0o600 });
	const { files, hash } = await getPreview(app);
	expect(files.find(({ path }) => path === 'custom.lua')?.content).toContain('return {}');
	const { revision } = await applyPending(app, who, { expectedHash: hash });
	const made = await getRevision(app, { number: revision ?? 0 });
	expect(JSON.stringify([files, made.files])).not.toContain('tiger-4711');
});

describe('counts first, whatever their number', () => {
	it.each([1, 20, 101, 5000])('%i new senders: counted, grouped and paged to the last one', async (senders) => {
		const large = await openTestApp({ host: testHost(), kumod: absentKumod() });
		await fillEstate({ client: large.database.client, keys: large.keys }, { domains: 2, senders });
		const first = await listChanges(large, { limit: 100, scope: 'sender' });
		expect(first).toMatchObject({ total: senders });
		expect(first.counts.scopes.find(({ scope }) => scope === 'sender')).toMatchObject({ added: senders });
		expect(first.nextCursor === null).toBe(senders <= 100);
		const { items } = await groupChanges(large, { limit: 100, scope: 'sender' });
		expect(items.reduce((sum, { total }) => sum + total, 0)).toBe(senders);
		const seen = new Set(first.items.map(({ subject }) => subject));
		for (let cursor = first.nextCursor; cursor !== null;) {
			const page = await listChanges(large, { limit: 200, scope: 'sender', cursor });
			for (const { subject } of page.items) seen.add(subject);
			cursor = page.nextCursor;
		}
		expect(seen.size).toBe(senders);
		const directory = (await summarizeFiles(large, {})).files.find(({ path }) => path === 'directory.sqlite');
		// Two domains and a bounce account of each besides.
		expect(directory).toMatchObject({ state: 'added', added: senders + 4 });
		await closeCompiler(large);
		large.close();
	});
});
