import { pbkdf2Sync } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { beforeEach, describe, expect, it } from 'vitest';
import { caller, openTestApp, testClock } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { refusalOf } from '../../../../tests/support/refusal.ts';
import { insertDomain, insertPool } from '../../../../tests/support/rows.ts';
import { auditEntries } from '../audit/tables.ts';
import { keyRequests } from '../dkim/tables.ts';
import { domains } from '../domains/tables.ts';
import { senders } from '../senders/tables.ts';
import { removeExpiredImports } from './service.ts';
import { importParts, imports } from './tables.ts';

const header = 'domain,sender,pool,from_policy,limit,password,dkim\n';
const strong = 'chosen pass phrase 4711';
const hour = 3_600_000;

let app: TestApp;
let clock: ReturnType<typeof testClock>;
let api: ReturnType<typeof caller>;

beforeEach(async () => {
	clock = testClock();
	app = await openTestApp({ clock: clock.now });
	api = caller(app);
	await insertPool(app);
});

async function upload(...parts: string[]): Promise<string> {
	const { id } = await api.imports.create({ kind: 'domains-and-senders' });
	for (const [part, text] of parts.entries()) await api.imports.append({ id, part, text });
	return id;
}

async function commit(text: string) {
	const id = await upload(text);
	const { hash } = await api.imports.preview({ id });
	return api.imports.commit({ id, expectedHash: hash! });
}

const counts = async () => [
	await app.db.$count(domains),
	await app.db.$count(senders),
	await app.db.$count(keyRequests)
];
const errorsOf = async (text: string) => (await api.imports.preview({ id: await upload(text), only: 'errors' })).items;

describe('what must never happen', () => {
	it('a wrong line lets nothing in, and every wrong line is named', async () => {
		const lines = Array.from({ length: 1200 }, (_, index) => `d.example,s${index},main,,,,\n`);
		lines[1100] = 'd.example,s1100,nowhere,,,,\n';
		lines[600] = 'not a domain,x,,,,,\n';
		const id = await upload(header + lines.join(''));
		const { hash, summary } = await api.imports.preview({ id });
		expect(summary).toMatchObject({ rows: 1200, errors: 2, sendersCreated: 1198 });
		expect(await refusalOf(api.imports.commit({ id, expectedHash: hash! }))).toMatchObject({
			code: 'PRECONDITION_FAILED',
			reason: 'import-has-errors'
		});
		expect(await counts()).toEqual([0, 0, 0]);
		expect(
			(await api.imports.preview({ id, only: 'errors' })).items.map(({ line, errors }) => [line, errors[0]?.column])
		).toEqual([
			[602, 'domain'],
			[1102, 'pool']
		]);
	});

	it('a write that fails at the last row undoes all the others', async () => {
		await app.db.run(
			sql`create trigger refuse before insert on senders when new.local_part = 's900' begin select raise(abort, 'no'); end`
		);
		const lines = Array.from({ length: 901 }, (_, index) => `d${index % 300}.example,s${index},main,,,,\n`);
		const id = await upload(header + lines.join(''));
		const { hash } = await api.imports.preview({ id });
		await expect(api.imports.commit({ id, expectedHash: hash! })).rejects.toThrow();
		expect(await counts()).toEqual([0, 0, 0]);
		expect((await app.db.select().from(imports))[0]).toMatchObject({ state: 'open', result: null });
		await app.db.run(sql`drop trigger refuse`);
		expect(await api.imports.commit({ id, expectedHash: hash! })).toMatchObject({
			result: { domainsCreated: 300, sendersCreated: 901 }
		});
	});

	const moves: [string, (id: string) => Promise<unknown>][] = [
		['a domain of the file is made by hand', () => api.domains.create({ name: 'new.example' })],
		['a pool changes its name', () => app.db.run(sql`update pools set name = 'other'`)],
		['a part is added', (id) => api.imports.append({ id, part: 1, text: 'b.example\n' })],
		['a part is replaced', (id) => api.imports.append({ id, part: 0, text: `${header}new.example,b,main,,,,\n` })]
	];
	it.each(moves)('commits something else than was reviewed when %s', async (_, move) => {
		const id = await upload(`${header}new.example,a,main,,,,\n`);
		const { hash } = await api.imports.preview({ id });
		await move(id);
		const before = await counts();
		expect(await refusalOf(api.imports.commit({ id, expectedHash: hash! }))).toMatchObject({
			code: 'CONFLICT',
			reason: 'import-moved'
		});
		expect(await counts()).toEqual(before);
	});

	it('two commits both writing', async () => {
		const id = await upload(`${header}new.example,a,main,,,${strong},\n`);
		const { hash } = await api.imports.preview({ id });
		const results = await Promise.allSettled([1, 2, 3].map(() => api.imports.commit({ id, expectedHash: hash! })));
		expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
		expect(await counts()).toEqual([1, 1, 1]);
	});

	it('a password in the database, an answer, an audit row, an error or the log', async () => {
		const id = await upload(`${header}new.example,a,main,,,${strong},\nnew.example,b,main,,,short-canary,\n`);
		const preview = await api.imports.preview({ id });
		const refusal = await refusalOf(api.imports.commit({ id, expectedHash: preview.hash! }));
		const stored = [
			await app.db.select().from(importParts),
			await app.db.select().from(imports),
			await app.db.select().from(auditEntries)
		];
		const seen = JSON.stringify([preview, refusal, stored, app.logLines]);
		expect([strong, 'short-canary', 'domain,sender'].filter((secret) => seen.includes(secret))).toEqual([]);
	});

	const hostile = [
		'a\0b',
		'=cmd| x',
		'../../etc',
		"';drop table senders--",
		'\u202eabc',
		'<script>',
		'{{ x }}',
		'ä ö',
		'x'.repeat(1001)
	];
	it.each(hostile)('%j in a column is more than an error of its line', async (text) => {
		const cell = `"${text}"`;
		for (const [index, column] of ['domain', 'sender', 'pool', 'from_policy', 'limit', 'dkim'].entries()) {
			const cells = ['good.example', 'good', 'main', '', '', '', ''];
			const at = column === 'dkim' ? 6 : index;
			const items = await errorsOf(header + cells.with(at, cell).join(',') + '\n');
			expect(items).toMatchObject([{ line: 2, errors: [{ column }] }]);
			expect(JSON.stringify(items)).not.toContain(JSON.stringify(text).slice(1, -1));
		}
	});
});

describe('errors by line', () => {
	it.each([
		['an empty first line field', 'domain,,pool\n', '', 1],
		['an unknown column', 'domain,colour\n', '', 1],
		['a column twice', 'domain,domain\n', '', 1],
		['no domain column', 'sender,pool\n', '', 1],
		['too many fields', `${header}d.example,a,main,,,,,x\n`, '', 2],
		['a quote never closed', `${header}d.example,"a,main\n`, '', 2],
		['no domain', `${header},a,main,,,,\n`, 'domain', 2],
		['a password without a sender', `${header}d.example,,,,,${strong},\n`, 'sender', 2],
		['a sender at another domain', `${header}d.example,a@e.example,main,,,,\n`, 'sender', 2],
		['a sender twice', `${header}d.example,a,main,,,,\nD.example,A@d.example,main,,,,\n`, 'sender', 3],
		['an unknown pool', `${header}d.example,a,Main,,,,\n`, 'pool', 2],
		['no pool and no default', `${header}d.example,a,,,,,\n`, 'pool', 2],
		['a wrong policy', `${header}d.example,a,main,all,,,\n`, 'from_policy', 2],
		['a wrong limit', `${header}d.example,a,main,,0/hour,,\n`, 'limit', 2],
		['an unknown unit', `${header}d.example,a,main,,5/week,,\n`, 'limit', 2],
		['a short password', `${header}d.example,a,main,,,short,\n`, 'password', 2],
		['an unknown answer', `${header}d.example,a,main,,,,maybe\n`, 'dkim', 2],
		[
			'a bounce host that another line makes a domain',
			`${header}d.example,,,,,,\nbounce.d.example,,,,,,\n`,
			'domain',
			2
		]
	])('%s', async (_, text, column, line) => {
		expect(await errorsOf(text)).toMatchObject([
			{ line, errors: [{ column, message: expect.stringMatching(/.\.$/) }] }
		]);
	});

	it('a new domain that is the bounce host of another, or whose bounce host is taken', async () => {
		await insertDomain(app, 'example.com');
		await insertDomain(app, 'bounce.example.org');
		expect(await errorsOf('domain\nbounce.example.com\nexample.org\n')).toMatchObject([{ line: 2 }, { line: 3 }]);
	});
});

it('makes domains, senders and key requests', async () => {
	await app.db.run(sql`insert into removed_senders values ('news.new.example', 'main', 0, 9e15)`);
	const text = `\u{feff}Sender,Domain,limit,password,from_policy,pool\r\nnews,NEW.example,1000/hour,"${strong}",domain,main\r\n,empty.example\r\nletter@bücher.example,bücher.example,,,,main\r\n`;
	expect(await commit(text)).toMatchObject({
		state: 'committed',
		result: { domainsCreated: 3, sendersCreated: 2, sendersUpdated: 0, keysRequested: 3 }
	});
	const { items } = await api.senders.list();
	expect(items).toMatchObject([
		{
			address: 'letter@xn--bcher-kva.example',
			credential: { isSet: false },
			limits: null,
			fromPolicy: 'address',
			status: 'enabled'
		},
		{
			address: 'news@new.example',
			tenant: 'news.new.example-2',
			credential: { isSet: true, generated: false, setAt: clock.now() },
			limits: { perHour: 1000 },
			fromPolicy: 'domain'
		}
	]);
	const [row] = await app.db
		.select()
		.from(senders)
		.where(sql`local_part = 'news'`);
	expect(row).toMatchObject({
		passwordIterations: 4096,
		passwordVerifier: pbkdf2Sync(strong, Buffer.from(row!.passwordSalt!, 'hex'), 4096, 32, 'sha256').toString('hex')
	});
	expect((await api.domains.list()).items).toMatchObject([
		{
			name: 'empty.example',
			bounceHost: 'bounce.empty.example',
			acceptAnyReturnPath: true,
			readiness: { ready: false }
		},
		{ name: 'new.example', senders: 1 },
		{ name: 'xn--bcher-kva.example', displayName: 'bücher.example' }
	]);
	expect(await api.senders.list({ search: 'ws@new' })).toMatchObject({ total: 1 });
});

it('changes only what a line gives, and says so', async () => {
	const domainId = await insertDomain(app, 'd.example');
	const second = await insertPool(app, 'second');
	const poolId = (await api.pools.list()).items.find(({ name }) => name === 'main')!.id;
	await api.senders.create({ domainId, localPart: 'a', poolId, limits: { perDay: 5 }, fromPolicy: 'domain' });
	await api.senders.create({ domainId, localPart: 'b', poolId });
	const before = await app.db
		.select()
		.from(senders)
		.where(sql`local_part = 'a'`);
	const text = `${header}d.example,a,second,,,,\nd.example,b,main,,,,\n`;
	const preview = await api.imports.preview({ id: await upload(text) });
	expect(preview.items).toMatchObject([
		{ effects: ['sender-updated'], changes: ['pool'] },
		{ effects: ['unchanged'], changes: [] }
	]);
	expect(preview.summary).toEqual({
		rows: 2,
		domainsCreated: 0,
		sendersCreated: 0,
		sendersUpdated: 1,
		unchanged: 1,
		keysRequested: 0,
		errors: 0
	});
	await commit(text);
	expect(
		await app.db
			.select()
			.from(senders)
			.where(sql`local_part = 'a'`)
	).toEqual([{ ...before[0], poolId: second, version: 2 }]);
});

it('uses the default pool of the settings', async () => {
	const [pool] = (await api.pools.list()).items;
	await api.settings.update({ defaultPoolId: pool!.id });
	await commit('domain,sender\nd.example,a\n');
	expect((await api.senders.list()).items).toMatchObject([{ pool: { name: 'main' } }]);
});

it.each([
	['new.example,,,,,,', 1],
	['new.example,,,,,,no', 0],
	['known.example,,,,,,', 0],
	['known.example,,,,,,yes', 1],
	['new.example,a,main,,,,\nnew.example,b,main,,,,', 1]
])('requests keys: %j', async (lines, keys) => {
	await insertDomain(app, 'known.example');
	expect((await commit(`${header}${lines}\n`)).result.keysRequested).toBe(keys);
	expect(await app.db.$count(keyRequests)).toBe(keys);
});

it('pages its rows exactly and shows progress after the commit', async () => {
	const id = await upload(header + Array.from({ length: 450 }, (_, index) => `d${index}.example,,,,,,\n`).join(''));
	const lines: number[] = [];
	let cursor: string | undefined;
	let hash: string | undefined;
	do {
		const page = await api.imports.preview({ id, limit: 200, cursor });
		lines.push(...page.items.map(({ line }) => line));
		cursor = page.nextCursor ?? undefined;
		hash = page.hash!;
	} while (cursor);
	expect(lines).toEqual(Array.from({ length: 450 }, (_, index) => index + 2));
	await api.imports.commit({ id, expectedHash: hash });
	expect(await api.imports.preview({ id })).toMatchObject({
		state: 'committed',
		hash: null,
		items: [],
		committed: { keysWaiting: 450, result: { keysRequested: 450 } }
	});
	await app.db.run(sql`delete from key_requests where domain_id in (select id from domains limit 449)`);
	expect((await api.imports.preview({ id })).committed?.keysWaiting).toBe(1);
	expect(await refusalOf(api.imports.commit({ id, expectedHash: hash }))).toMatchObject({ reason: 'import-committed' });
	expect(await refusalOf(api.imports.append({ id, part: 1, text: 'x' }))).toMatchObject({ reason: 'import-committed' });
});

describe('parts', () => {
	it('may cut the file anywhere, between characters', async () => {
		const id = await upload('dom', 'ain,sen', 'der,pool\nd.exa', 'mple,a,main\nd.example,b', ',main');
		expect((await api.imports.preview({ id })).items.map(({ address, errors }) => [address, errors])).toEqual([
			['a@d.example', []],
			['b@d.example', []]
		]);
	});

	it('count from 1 as well, and a gap is named', async () => {
		const { id } = await api.imports.create({ kind: 'domains-and-senders' });
		expect(await refusalOf(api.imports.preview({ id }))).toMatchObject({ reason: 'part-missing' });
		await api.imports.append({ id, part: 1, text: 'domain\n' });
		expect((await api.imports.preview({ id })).total).toBe(0);
		expect(await api.imports.append({ id, part: 3, text: 'd.example' })).toEqual({ id, part: 3, parts: 2, bytes: 16 });
		expect((await refusalOf(api.imports.preview({ id }))).message).toContain('Part 2 is missing');
	});

	it.each([
		['', 'nothing'],
		['x'.repeat(262_145), 'too much'],
		['é'.repeat(131_073), 'too many bytes'],
		['a\ud83d', 'half a character']
	])('refuse %#', async (text) => {
		const { id } = await api.imports.create({ kind: 'domains-and-senders' });
		expect(Object.keys((await refusalOf(api.imports.append({ id, part: 0, text }))).fieldErrors)).toEqual(['text']);
	});
});

it('expires after 24 hours, discards at once, and leaves no part', async () => {
	const discarded = await upload(header);
	expect(await api.imports.discard({ id: discarded })).toEqual({ id: discarded });
	const id = await upload(header);
	clock.advance(24 * hour - 1);
	await removeExpiredImports(app);
	expect(await app.db.$count(imports)).toBe(1);
	clock.advance(1);
	for (const call of [
		api.imports.preview({ id }),
		api.imports.append({ id, part: 0, text: 'x' }),
		api.imports.discard({ id: discarded })
	])
		expect(await refusalOf(call)).toMatchObject({ code: 'NOT_FOUND' });
	await removeExpiredImports(app);
	expect([await app.db.$count(imports), await app.db.$count(importParts)]).toEqual([0, 0]);
});
