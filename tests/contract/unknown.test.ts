import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { procedures, textFieldsOf, withValue } from '../support/contract.ts';
import type { Parsed } from '../support/contract.ts';
import { openWorld, validInputs } from '../support/world.ts';
import type { World } from '../support/world.ts';

/** What does not exist, exists no more or is something else is never treated as known, and changes nothing. */

let world: World;
/** Ids of items that were there once, by the kind of `world.ids`. */
const gone: Record<string, string> = {};

beforeAll(async () => {
	world = await openWorld();
	await makeAndRemove();
}, 60_000);
afterAll(() => world.close());

async function makeAndRemove(): Promise<void> {
	const { must, ids, app, user } = world;
	const source = await must('sources.create', { address: '192.0.2.2', ehloDomain: 'out2.example.net' });
	const pool = await must('pools.create', { name: 'former', sources: [{ sourceId: source.id, weight: 1 }] });
	const domain = await must('domains.create', { name: 'former.example' });
	const key = await must('dkim.generate', { domainId: domain.id, algorithm: 'ed25519' });
	const sender = await must('senders.create', { domainId: domain.id, localPart: 'news', poolId: pool.id });
	const bounce = await must('bounces.create', { domainId: domain.id, localPart: 'box', password: null });
	const suppression = await must('suppression.add', { address: 'former@example.org' });
	const upload = await must('imports.create', { kind: 'domains-and-senders' });
	const [input] = validInputs(world, 1)['policy.routes.create']!;
	const route = await must('policy.routes.create', input);
	const columns = 'id, user_id, token_hash, created_at, expires_at, last_used_at, address, user_agent';
	await app.database.client.execute({
		sql: `INSERT INTO sessions (${columns}) VALUES ('formersession222', ?, 'hash', 1, 9000000000000, 1, '', '')`,
		args: [user.userId]
	});
	await must('auth.sessions.revoke', { id: 'formersession222' });
	await must('imports.discard', { id: upload.id });
	for (const [router, item] of [
		['policy.routes', route],
		['senders', sender],
		['bounces', bounce],
		['suppression', suppression],
		['dkim', key],
		['domains', domain],
		['pools', pool],
		['sources', source]
	] as const)
		await must(`${router}.remove`, { id: item.id });
	Object.assign(gone, { source: source.id, pool: pool.id, domain: domain.id, key: key.id, pendingKey: key.id });
	Object.assign(gone, { sender: sender.id, bounce: bounce.id, import: upload.id, session: 'formersession222' });
	Object.assign(gone, { route: route.id, suppression: suppression.id });
	expect(Object.keys(gone).sort()).toEqual(
		Object.keys(ids)
			.filter((kind) => kind !== 'apply')
			.sort()
	);
}

/** Everything that is stored, but the record that somebody tried: a call, a login, an apply. */
async function everything(): Promise<Record<string, string>> {
	const { client } = world.app.database;
	const { rows } = await client.execute(
		"SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'sqlite_sequence'"
	);
	const stored: Record<string, string> = {};
	for (const { name } of rows as unknown as { name: string }[]) {
		if (['audit_entries', 'attempts', 'applies'].includes(name)) continue;
		const all = JSON.stringify((await client.execute(`SELECT * FROM "${name}"`)).rows);
		stored[name] = createHash('sha256').update(all).digest('hex');
	}
	return stored;
}

const kindOf = (id: string) => Object.keys(world.ids).find((kind) => world.ids[kind as keyof World['ids']] === id)!;
const isSameKind = (a: string, b: string) => a.replace('pendingKey', 'key') === b.replace('pendingKey', 'key');

/** Every id that is not one of the kind that a field wants. */
function strangers(kind: string): Record<string, string> {
	const others = Object.entries(world.ids).filter(([each]) => !isSameKind(each, kind));
	return {
		'an unknown id': 'zzzzzzzzzzzzzzzz',
		...(gone[kind] !== undefined && { 'a removed item': gone[kind] }),
		...Object.fromEntries(others.map(([each, id]) => [`the id of a ${each}`, id])),
		'no id': '../../etc/passwd',
		nothing: '',
		'two ids': `${world.ids.domain},${world.ids.pool}`,
		'upper case': world.ids.domain.toUpperCase()
	};
}

const idFields = procedures.flatMap(({ path, input }) =>
	textFieldsOf(input)
		.filter(({ isId }) => isId)
		.map((field) => ({ path, field, name: `${path} ${field.path.join('.')}` }))
);

/** A filter of a list finds nothing then. */
const filters = [
	'senders.list domainId',
	'bounces.list domainId',
	'suppression.list domainId',
	'feedback.list domainId',
	'feedback.list senderId'
];
/** What came back of a domain or sender that was removed is still counted. */
const counted = ['feedback.counts domainId', 'feedback.counts senderId'];
const noneOf = { bounces: 0, expiries: 0, reports: 0, complaints: 0 };
/** Names what may drop out of a policy; here the call is refused before, since nothing was reviewed. */
const wishes = ['policy.apply dropping.0', 'policy.restore dropping.0'];

describe('an id', () => {
	it('has a field in every feature', () => {
		expect(idFields.length).toBeGreaterThan(35);
	});

	it.each(idFields)('$name', async ({ path, field, name }) => {
		const base = validInputs(world, 1)[path]!.find((input) => withValue(input, field.path, 'x') !== undefined);
		const right = field.path.reduce((value: Parsed, step) => value[step], base) as string;
		const before = await everything();
		for (const [what, id] of Object.entries(strangers(kindOf(right)))) {
			const { cursor: _, ...input } = withValue(base, field.path, id) as Record<string, unknown>;
			const answer = await world.call(path, input);
			const isId = /^[a-z0-9]{16}$/.test(id);
			if (filters.includes(name) && isId) expect(answer.data, what).toMatchObject({ items: [], total: 0 });
			else if (counted.includes(name) && isId) expect(answer.data, what).toMatchObject({ totals: noneOf });
			else if (wishes.includes(name) && isId) expect(answer.error.code, what).toMatch(/^(?:CONFLICT|NOT_FOUND)$/);
			else {
				expect(answer.error.code, `${what}: ${answer.text}`).toMatch(/^(?:NOT_FOUND|BAD_REQUEST)$/);
				if (isId) expect(answer.error.reason, answer.text).toMatch(/^no-such-[a-z-]+$/);
				else expect(Object.keys(answer.error.fieldErrors), answer.text).toContain(field.path.join('.'));
			}
		}
		expect(await everything()).toEqual(before);
	});
});

describe('a revision', () => {
	it.each([
		['policy.revision', (number: number) => ({ number })],
		['policy.restore', (number: number) => ({ number })],
		['policy.changes', (number: number) => ({ from: number })],
		['policy.changes', (number: number) => ({ to: number })]
	])('%s with a number that there is not', async (path, input) => {
		const before = await everything();
		for (const number of [2, 4711, Number.MAX_SAFE_INTEGER]) {
			const { error, text } = await world.call(path, input(number));
			expect(error.code, text).toBe('NOT_FOUND');
			expect(error.reason, text).toBe('no-such-revision');
		}
		for (const number of [-1, 1.5, '1', Number.MAX_SAFE_INTEGER + 1])
			expect((await world.call(path, input(number as number))).error.code).toBe('BAD_REQUEST');
		expect(await everything()).toEqual(before);
	});

	it('a policy that was never taken over is not restored', async () => {
		const before = await everything();
		const { error, text } = await world.call('policy.restore', { number: 0 });
		expect(error.code, text).toMatch(/^(?:NOT_FOUND|PRECONDITION_FAILED)$/);
		expect(await everything()).toEqual(before);
	});
});

const versioned = procedures.filter(({ path, input }) => {
	const fields = (input as unknown as { shape?: Record<string, unknown> }).shape ?? {};
	return 'version' in fields && path !== 'settings.get';
});

describe('a version', () => {
	it('is taken by everything that changes or removes an item', () => {
		const changing = procedures.filter(({ path }) => /\.(?:update|remove|setPassword|activate|retire)$/.test(path));
		expect(versioned.map(({ path }) => path).sort()).toEqual(changing.map(({ path }) => path).sort());
	});

	it.each(versioned)('$path is refused when it moved', async ({ path }) => {
		const before = await everything();
		for (const base of validInputs(world, 1)[path]!) {
			const moved = await world.call(path, { ...(base as object), version: 99 });
			expect(moved.error, moved.text).toMatchObject({ code: 'CONFLICT', reason: 'version-moved' });
			for (const version of [0, -1, 1.5, '1', null]) {
				const wrong = await world.call(path, { ...(base as object), version });
				expect(wrong.error.code).toBe('BAD_REQUEST');
				expect(Object.keys(wrong.error.fieldErrors)).toEqual(['version']);
			}
		}
		expect(await everything()).toEqual(before);
	});

	it('moves with each change, so that the second of two who saw the same is refused', async () => {
		const { version } = await world.must('settings.get');
		const [first, second] = await Promise.all(
			['a.example.net', 'b.example.net'].map((hostname) => world.call('settings.update', { hostname, version }))
		);
		expect([first, second].filter((each) => each?.ok)).toHaveLength(1);
		expect([first, second].find((each) => !each?.ok)?.error.reason).toBe('version-moved');
	});
});
