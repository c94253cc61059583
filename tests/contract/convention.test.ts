import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { testClock } from '../support/app.ts';
import { procedures } from '../support/contract.ts';
import type { Answer, Parsed } from '../support/contract.ts';
import { insertEvent } from '../support/rows.ts';
import { openWorld, validInputs } from '../support/world.ts';
import type { World } from '../support/world.ts';

/** What the contract says of every list, change and error, held by each that there is. */

let world: World;
const clock = testClock();

beforeAll(async () => {
	world = await openWorld(clock.now);
	const { must, ids } = world;
	for (const [number, name] of ['Alpha', 'Beta', 'Alphabet', 'Gamma', 'alphanumeric'].entries()) {
		clock.advance(1000);
		const low = name.toLowerCase();
		await must('sources.create', { address: `198.51.100.${number + 1}`, ehloDomain: `${low}.example.net`, name });
		await must('pools.create', { name, sources: [{ sourceId: ids.source, weight: 1 }] });
		await must('domains.create', { name: `${low}.example` });
		await must('senders.create', { domainId: ids.domain, poolId: ids.pool, localPart: low, password: null });
		await must('bounces.create', { domainId: ids.domain, localPart: low, password: null });
		await must('suppression.add', { address: `${low}@example.org`, domainId: number < 2 ? null : ids.domain });
		await must('dkim.generate', { domainId: ids.domain, algorithm: 'ed25519', selector: low });
		const [route] = validInputs(world, number)['policy.routes.create'] as object[];
		await must('policy.routes.create', { ...route, name });
		await insertEvent(world.app, { recipient: `${low}@example.org`, at: clock.now() - (number % 2) * 1000 });
	}
}, 60_000);
afterAll(() => world.close());

interface List {
	path: string;
	/** What else the list needs. */
	filter?: () => Record<string, unknown>;
	sorts: string[];
	/** The text of an item that a search looks at. */
	text: (item: Parsed) => string[];
	/** A search finds beginnings only: the list may hold ten million. */
	isPrefix?: true;
}

const lists: List[] = [
	{
		path: 'sources.list',
		sorts: ['name', 'address', 'createdAt'],
		text: (item) => [item.name, item.address, item.ehloDomain]
	},
	{ path: 'pools.list', sorts: ['name', 'createdAt'], text: (item) => [item.name] },
	{ path: 'domains.list', sorts: ['name', 'createdAt'], text: (item) => [item.name] },
	{ path: 'senders.list', sorts: ['address', 'createdAt'], text: (item) => [item.address] },
	{ path: 'bounces.list', sorts: ['address', 'createdAt'], text: (item) => [item.address] },
	{ path: 'suppression.list', sorts: ['address', 'createdAt'], text: (item) => [item.address], isPrefix: true },
	{
		path: 'dkim.list',
		filter: () => ({ domainId: world.ids.domain }),
		sorts: ['createdAt', 'selector'],
		text: (item) => [item.selector]
	},
	{
		path: 'audit.list',
		filter: () => ({ action: 'pools.create' }),
		sorts: ['at'],
		text: (item) => [item.action, item.actorName, item.target ?? '', item.address ?? '']
	},
	{ path: 'feedback.list', sorts: ['at'], text: (item) => [item.recipient, item.diagnostic] },
	{ path: 'policy.routes.list', sorts: ['name'], text: (item) => [item.name] },
	{ path: 'policy.revisions', sorts: ['number'], text: (item) => [item.actorName, item.reason ?? '', item.hash] }
];

/** Lists of what the caller of these tests has none of, and one whose length the program fixes. */
const unpaged = ['auth.sessions.list', 'health.list'];

it('every list is among those that are tried here', () => {
	const found = procedures.filter(({ path }) => /\.(?:list|revisions)$/.test(path)).map(({ path }) => path);
	expect(found.sort()).toEqual([...lists.map(({ path }) => path), ...unpaged].sort());
});

describe.each(lists)('$path', ({ path, filter = () => ({}), sorts, text, isPrefix = false }) => {
	const list = (input: Record<string, unknown> = {}) => world.must(path, { ...filter(), ...input });
	const refused = async (input: Record<string, unknown>) => {
		const answer = await world.call(path, { ...filter(), ...input });
		expect(answer.error.code, answer.text).toBe('BAD_REQUEST');
		return answer.error;
	};

	it('holds the limits of a page', async () => {
		for (const limit of [0, -1, 201, 1.5, '10', null])
			expect(Object.keys((await refused({ limit })).fieldErrors)).toEqual(['limit']);
		for (const limit of [1, 200]) expect((await list({ limit })).items.length).toBeLessThanOrEqual(limit);
		expect((await list()).items).toEqual((await list({ limit: 50 })).items);
		expect(Object.keys((await refused({ search: 'a'.repeat(101) })).fieldErrors)).toEqual(['search']);
		expect(Object.keys((await refused({ sort: { by: 'version', dir: 'asc' } })).fieldErrors)).toEqual(['sort.by']);
		expect(Object.keys((await refused({ sort: { by: sorts[0], dir: 'up' } })).fieldErrors)).toEqual(['sort.dir']);
	});

	it('shows each item once, page by page, in every order, and counts them', async () => {
		const { items, total, nextCursor } = await list({ limit: 200 });
		expect(total).toBe(items.length);
		expect(nextCursor).toBeNull();
		for (const by of sorts)
			for (const dir of ['asc', 'desc']) {
				const whole = (await list({ limit: 200, sort: { by, dir } })).items;
				const keys = whole.map((item: Record<string, unknown>) => item[by]);
				const inOrder = keys.toSorted((a: Parsed, b: Parsed) => (a < b ? -1 : a > b ? 1 : 0));
				expect(keys).toEqual(dir === 'asc' ? inOrder : inOrder.toReversed());
				const paged: unknown[] = [];
				for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
					const page = await list({ limit: 2, sort: { by, dir }, ...(cursor !== undefined && { cursor }) });
					expect(page.total).toBe(total);
					paged.push(...page.items);
					cursor = page.nextCursor ?? undefined;
				}
				expect(paged).toEqual(whole);
			}
	});

	it('refuses a cursor of another search, another order or nobody', async () => {
		const sort = { by: sorts[0], dir: 'asc' };
		const { nextCursor, items } = await list({ limit: 1, sort });
		const cursor = nextCursor ?? Buffer.from(JSON.stringify(['000000000000', 'a', 'a'])).toString('base64url');
		const wrong: Record<string, unknown>[] = [
			{ cursor, sort: { ...sort, dir: 'desc' } },
			{ cursor, sort, search: text(items[0])[0]!.slice(0, 3) },
			{ cursor: 'x', sort },
			{ cursor: '', sort },
			{ cursor: Buffer.from('["a",{},[]]').toString('base64url'), sort }
		];
		for (const each of wrong) {
			const error = await refused(each);
			expect(error.reason).toBe('cursor-mismatch');
			expect(Object.keys(error.fieldErrors)).toEqual(['cursor']);
		}
	});

	it('searches without regard to case: up to two characters as a prefix, more anywhere', async () => {
		const { items } = await list({ limit: 200 });
		const expected = (matches: (value: string) => boolean) =>
			items.filter((item: unknown) => text(item).some((value) => matches(value.toLowerCase()))).length;
		const sample = text(items[0])[0]!.toLowerCase();
		const texts = [
			sample.slice(0, 1),
			sample.slice(0, 2),
			sample.slice(0, 3),
			sample.slice(1, 4),
			sample.slice(1, 3),
			sample
		];
		for (const search of [...texts, 'alpha', 'ph', 'lpha', 'al', 'zzz', '%', '_', '"', "'", '\\', 'a%a', '*']) {
			const count = expected((value) =>
				search.length < 3 || isPrefix ? value.startsWith(search) : value.includes(search)
			);
			for (const spelled of [search, search.toUpperCase(), ` ${search} `]) {
				const found = await list({ search: spelled, limit: 1 });
				expect({ search: spelled, total: found.total }).toEqual({ search: spelled, total: count });
				expect(found.items.length).toBe(Math.min(1, count));
			}
		}
		expect((await list({ search: '' })).total).toBe(items.length);
		expect((await list({ search: '   ' })).total).toBe(items.length);
	});
});

describe('a search in people’s own words', () => {
	it.each([
		['Äpfel & Öl [neu]', ['äpfel', 'ÄPFEL', 'äp', '& öL', 'öl [NEU]', '[neu]']],
		['Ωmega Сервер?', ['ωMEGA', 'Ωm', 'сервер?', 'СЕРВЕР']],
		['a*b ^c', ['A*B', 'b ^C', 'a*']]
	])('finds %s in any case', async (name, searches) => {
		const address = `203.0.113.${name.length}`;
		await world.must('sources.create', { address, ehloDomain: 'words.example.net', name });
		for (const search of searches) expect((await world.must('sources.list', { search })).total, search).toBe(1);
		for (const search of ['Äb', 'öx', '[n]', 'a?b', '^[a]'])
			expect((await world.must('sources.list', { search })).total).toBe(0);
	});
});

/** Each kind of item: how one is made, and where its list shows it. */
const kinds = [
	{ router: 'sources', filter: () => ({}) },
	{ router: 'pools', filter: () => ({}) },
	{ router: 'domains', filter: () => ({}) },
	{ router: 'senders', filter: () => ({}) },
	{ router: 'bounces', filter: () => ({}) },
	{ router: 'policy.routes', filter: () => ({}) }
];

describe.each(kinds)('$router', ({ router }) => {
	const shown = async (id: string) =>
		(await world.must(`${router}.list`, { limit: 200 })).items.find((item: { id: string }) => item.id === id);

	it('answers a new, a changed and a removed item as the contract says', async () => {
		const { password: _p, ...created } = await world.must(
			`${router}.create`,
			validInputs(world, 700)[`${router}.create`]![0]
		);
		expect(created).toEqual(await shown(created.id));
		expect(created.version).toBe(1);
		const fields = { id: created.id, version: 1 };
		const changed = await world.must(`${router}.update`, fields);
		expect(changed).toEqual({ ...created, version: 2 });
		expect(changed).toEqual(await shown(created.id));
		expect((await world.call(`${router}.update`, fields)).error.reason).toBe('version-moved');
		const removed = await world.must(`${router}.remove`, { id: created.id, version: 2 });
		expect(removed.id).toBe(created.id);
		expect(await shown(created.id)).toBeUndefined();
	});
});

describe('a change', () => {
	const nullable: [string, () => string, Record<string, unknown>][] = [
		['sources.update', () => world.ids.source, { publicAddress: '198.51.100.77' }],
		['domains.update', () => world.ids.domain, { complaintAddress: 'abuse@example.com' }],
		[
			'senders.update',
			() => world.ids.sender,
			{ limits: { perHour: 5 }, retryIntervalSeconds: 60, maxAgeSeconds: 3600 }
		]
	];

	it.each(nullable)('%s keeps what is absent, clears what is null', async (path, id, fields) => {
		const set = await world.must(path, { id: id(), ...fields });
		expect(set).toMatchObject(fields);
		expect(await world.must(path, { id: id() })).toEqual({ ...set, version: set.version + 1 });
		const cleared = Object.fromEntries(Object.keys(fields).map((field) => [field, null]));
		expect(await world.must(path, { id: id(), ...cleared })).toEqual({ ...set, ...cleared, version: set.version + 2 });
	});

	it('settings.update does the same, and a list of its own replaces the old one', async () => {
		const fields = {
			hostname: 'mx.example.net',
			listeners: [{ address: '192.0.2.1', port: 25, purpose: 'inbound' }],
			tls: { name: 'mx' },
			defaultPoolId: world.ids.pool,
			campaignHeader: 'X-Campaign',
			ai: { provider: 'openai', baseUrl: null, model: null }
		};
		const set = await world.must('settings.update', { ...fields, relayHosts: ['10.0.0.0/8', '10.1.0.0/16'] });
		expect(set).toMatchObject(fields);
		const kept = await world.must('settings.update', {});
		expect(kept).toEqual({ ...set, version: set.version + 1, updatedAt: kept.updatedAt });
		const cleared = Object.fromEntries(Object.keys(fields).map((field) => [field, null]));
		expect(await world.must('settings.update', { ...cleared, relayHosts: ['10.2.0.0/16'] })).toMatchObject({
			...cleared,
			relayHosts: ['10.2.0.0/16']
		});
	});

	it('keeps, sets and clears a secret by the same rule, and shows only whether it is set', async () => {
		const ai = { provider: 'openai', baseUrl: null };
		const state = async (apiKey?: string | null) =>
			(await world.must('settings.update', { ai: { ...ai, ...(apiKey !== undefined && { apiKey }) } })).ai.apiKey;
		expect(await state()).toEqual({ isSet: false, setAt: null });
		expect(await state('a key')).toEqual({ isSet: true, setAt: clock.now() });
		expect(await state()).toEqual({ isSet: true, setAt: clock.now() });
		expect(Object.keys((await world.call('settings.update', { ai: { ...ai, apiKey: '' } })).error.fieldErrors)).toEqual(
			['ai.apiKey']
		);
		expect(await state(null)).toEqual({ isSet: false, setAt: null });
		for (const [router, id] of [
			['senders', world.ids.sender],
			['bounces', world.ids.bounce]
		] as const) {
			const credential = async (input: object) =>
				(await world.must(`${router}.setPassword`, { id, ...input })).credential;
			expect(await credential({})).toEqual({ isSet: true, setAt: clock.now(), generated: true });
			expect(await credential({ password: 'sixteen letters or more' })).toEqual({
				isSet: true,
				setAt: clock.now(),
				generated: false
			});
			expect(await credential({ password: null })).toEqual({ isSet: false, setAt: null, generated: false });
			const empty = await world.call(`${router}.setPassword`, { id, password: '' });
			expect(Object.keys(empty.error.fieldErrors)).toEqual(['password']);
		}
	});
});

describe('an answer', () => {
	it('has times as whole milliseconds and durations as whole seconds', () => {
		const walk = (schema: Parsed, name: string, path: string): void => {
			const forms = [schema, ...(schema.anyOf ?? [])].filter((each) => each.type !== 'null' && each.type !== undefined);
			if (/(?:^at|At|Seconds)$/.test(name)) for (const form of forms) expect(form.type, path).toBe('integer');
			for (const [key, value] of Object.entries(schema.properties ?? {})) walk(value, key, `${path}.${key}`);
			for (const each of [...(schema.anyOf ?? []), ...(schema.allOf ?? [])]) walk(each, '', path);
			if (schema.items !== undefined) walk(schema.items, '', path);
		};
		for (const { path, output } of procedures)
			walk(z.toJSONSchema(output, { io: 'output', unrepresentable: 'any' }), '', path);
	});

	const reads = () => procedures.filter(({ kind, path }) => kind === 'query' && !/checkDns|sessions/.test(path));

	it('of every query stands in the form that its schema says', async () => {
		for (const { path } of reads()) {
			const input = validInputs(world, 1)[path]?.[0] as Record<string, unknown> | undefined;
			const { cursor: _, ...plain } = input ?? {};
			const needs = path === 'policy.revision' ? { number: 1 } : plain;
			await world.must(path, Object.keys(needs).length === 0 ? undefined : needs);
		}
	});
});

describe('an error', () => {
	const shape = ({ error, text }: Answer): void => {
		const { data } = error;
		expect(
			Object.keys(data).filter(
				(key) => !['code', 'httpStatus', 'reason', 'fieldErrors', 'retryAfterMs', 'problems', 'requestId'].includes(key)
			),
			text
		).toEqual([]);
		expect(data.requestId, text).toBe('request-of-a-test');
		expect(data.code, text).toMatch(/^[A-Z_]+$/);
		if (data.reason !== undefined) expect(data.reason, text).toMatch(/^[a-z]+(?:-[a-z]+)*$/);
		expect(text).not.toMatch(/\bat [^ ]+ \(|SELECT |INSERT |UPDATE |SQLITE|node_modules|\.ts:\d|"stack"/);
		for (const messages of Object.values(error.fieldErrors))
			for (const each of messages) expect(each.length).toBeGreaterThan(5);
	};

	it.each(procedures)('of $path has its one form', async ({ path, kind }) => {
		const wrong = [{ surprise: 1 }, { id: 1 }, 'text', 17, [], null];
		const answers = await Promise.all(wrong.map((input) => world.call(path, input)));
		for (const answer of answers.filter(({ ok }) => !ok)) {
			shape(answer);
			expect(answer.error.code).toBe('BAD_REQUEST');
		}
		expect(answers[0]?.ok).toBe(false);
		if (!/^auth\.(?:login|register|status)$/.test(path)) {
			const closed = await world.call(path, undefined, { local: null });
			shape(closed);
			expect(closed.error).toMatchObject({ code: 'UNAUTHORIZED', reason: 'not-signed-in' });
		}
		const input = validInputs(world, 1)[path]?.[0];
		const asked =
			kind === 'query' && input !== undefined
				? await world.call(path, { ...input, id: 'zzzzzzzzzzzzzzzz' })
				: undefined;
		if (asked?.ok === false) shape(asked);
	});

	it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype'])(
		'is the answer to a field that every object has: %s',
		async (name) => {
			for (const [path, fields] of [
				['bounces.update', `"id":"${world.ids.bounce}","notes":"a note"`],
				['settings.update', '"hostname":"mta.example.net"'],
				['auth.logout', '']
			] as const) {
				const body = `{${[fields, `"${name}":{"version":99,"notes":"polluted"}`].filter(Boolean).join(',')}}`;
				const answer = await world.call(path, undefined, { body });
				expect(answer.error.code, answer.text).toBe('BAD_REQUEST');
				shape(answer);
			}
			expect({} as Record<string, unknown>).not.toHaveProperty('notes');
		}
	);

	it('of a bug names the request and nothing else', async () => {
		const { client } = world.app.database;
		await client.execute('CREATE TRIGGER broken BEFORE INSERT ON pools BEGIN SELECT * FROM nowhere; END');
		const answer = await world.call('pools.create', validInputs(world, 900)['pools.create']![0]);
		await client.execute('DROP TRIGGER broken');
		shape(answer);
		expect(answer.error.code).toBe('INTERNAL_SERVER_ERROR');
		expect(answer.error.message).toContain('request-of-a-test');
		expect(answer.text).not.toMatch(/nowhere|pool-900/);
	});
});
