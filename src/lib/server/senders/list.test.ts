import { beforeAll, describe, expect, it } from 'vitest';
import { caller, openTestApp } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { refusalOf } from '../../../../tests/support/refusal.ts';
import { insertDomain, insertPool, insertSenders } from '../../../../tests/support/rows.ts';

const many = 100_000;
let app: TestApp;
let api: ReturnType<typeof caller>['senders'];
let large: string;
let small: string;

beforeAll(async () => {
	app = await openTestApp();
	api = caller(app).senders;
	const poolId = await insertPool(app);
	large = await insertDomain(app, 'large.example');
	small = await insertDomain(app, 'small.example');
	await insertSenders(app, { domainId: large, poolId, count: many });
	for (const localPart of ['anna', 'berta', 'caesar'])
		await api.create({ domainId: small, localPart, poolId, password: null });
	await app.database.client.execute('ANALYZE');
}, 120_000);

type Request = Parameters<typeof api.list>[0];

async function everyPage(request: Request): Promise<string[]> {
	const addresses: string[] = [];
	let cursor: string | undefined;
	do {
		const page = await api.list({ ...request, ...(cursor !== undefined && { cursor }) });
		addresses.push(...page.items.map(({ address }) => address));
		cursor = page.nextCursor ?? undefined;
	} while (cursor !== undefined);
	return addresses;
}

describe('pages', () => {
	const numbered = Array.from({ length: 10 }, (_, index) => `news00099${index}@large.example`);

	it.each([
		['by address', { by: 'address', dir: 'asc' }, numbered],
		['by address, last first', { by: 'address', dir: 'desc' }, numbered.toReversed()],
		['by time: the generator makes later numbers older', { by: 'createdAt', dir: 'asc' }, numbered.toReversed()],
		['by time, newest first', { by: 'createdAt', dir: 'desc' }, numbered]
	] as const)('%s give each row once', async (_, sort, expected) => {
		expect(await everyPage({ search: 'news00099', sort, limit: 4 })).toEqual(expected);
	});

	it('give each of 100,003 rows exactly once', async () => {
		const addresses = await everyPage({ limit: 200 });
		expect(addresses).toHaveLength(many + 3);
		expect(new Set(addresses).size).toBe(many + 3);
		expect(addresses).toEqual(addresses.toSorted());
	}, 60_000);

	it('do not lose or repeat rows with equal times', async () => {
		const addresses = await everyPage({ domainId: small, sort: { by: 'createdAt', dir: 'desc' }, limit: 1 });
		expect(addresses.toSorted()).toEqual(['anna@small.example', 'berta@small.example', 'caesar@small.example']);
	});

	it('refuse a cursor of another search, sort or domain', async () => {
		const { nextCursor } = await api.list({ limit: 1 });
		const cursor = nextCursor!;
		const others: Request[] = [{ search: 'news' }, { sort: { by: 'createdAt', dir: 'asc' } }, { domainId: small }];
		for (const other of others)
			expect(await refusalOf(api.list({ ...other, cursor }))).toMatchObject({ reason: 'cursor-mismatch' });
		for (const text of ['', 'x', 'null', '[]'])
			expect(await refusalOf(api.list({ cursor: text }))).toMatchObject({ code: 'BAD_REQUEST' });
	});
});

describe('search', () => {
	it.each([
		['two letters match the beginning', 'be', 1],
		['two letters match no middle', 'rt', 0],
		['three match anywhere', 'ert', 1],
		['letter case does not matter', 'BERTA@SMALL', 1],
		['the total counts the search', '@small.example', 3],
		['and the whole', undefined, many + 3]
	])('%s', async (_, search, total) => {
		expect((await api.list({ search, limit: 1 })).total).toBe(total);
	});

	it('stays inside the domain', async () => {
		expect((await api.list({ domainId: small, search: 'news' })).total).toBe(0);
	});
});

describe('plans at 100,000 rows', () => {
	const statements: { sql: string; args: unknown }[] = [];

	/** The statements that a list runs, as the database gets them. */
	async function plansOf(request: Request): Promise<string[][]> {
		const { client } = app.database;
		statements.length = 0;
		const original = client.execute.bind(client);
		const listening = new Proxy(client, {
			get: (target, property) =>
				property === 'execute'
					? (statement: { sql: string; args: unknown }) => {
							statements.push(statement);
							return original(statement as never);
						}
					: (Reflect.get(target, property) as unknown)
		});
		const { drizzle } = await import('drizzle-orm/libsql/sqlite3');
		const first = await caller(app).senders.list(request);
		await caller({ ...app, db: drizzle({ client: listening }) }).senders.list({
			...request,
			cursor: first.nextCursor ?? undefined
		});
		const plans: string[][] = [];
		for (const { sql, args } of statements) {
			const plan = await original({ sql: `explain query plan ${sql}`, args } as never);
			plans.push(plan.rows.map((row) => row['detail'] as string));
		}
		return plans;
	}

	const indexes: [string, NonNullable<Request> & { domain?: true }, RegExp][] = [
		['by address', {}, /^SEARCH senders USING INDEX senders_address_unique \(address[<>]/],
		[
			'by address, last first',
			{ sort: { by: 'address', dir: 'desc' } },
			/^SEARCH senders USING INDEX senders_address_unique/
		],
		['by time', { sort: { by: 'createdAt', dir: 'desc' } }, /^SEARCH senders USING INDEX senders_created/],
		['in a domain', { domain: true }, /^SEARCH senders USING INDEX senders_domain \(domain_id=\? AND address/],
		['by prefix', { search: 'ne' }, /^SEARCH senders USING INDEX senders_address_unique \(address>\? AND address<\?\)/]
	];
	it.each(indexes)('a page %s seeks in its index and sorts nothing', async (_, { domain, ...request }, index) => {
		const plans = await plansOf({ ...request, ...(domain && { domainId: large }), limit: 50 });
		const [page] = plans.filter((plan) => plan.some((step) => step.includes('SCALAR SUBQUERY')));
		expect(page?.[0]).toMatch(index);
		expect(page?.filter((step) => /^SCAN|TEMP B-TREE/.test(step))).toEqual([]);
	});

	it('a search goes through the trigram index', async () => {
		const plans = await plansOf({ search: 'news0004', limit: 50 });
		expect(plans).toHaveLength(2);
		for (const plan of plans)
			expect(plan.some((step) => step.includes('senders_search VIRTUAL TABLE INDEX'))).toBe(true);
	});
});

it('signs of patterns are letters also where a search hits everywhere', async () => {
	const odd =
		"UPDATE senders SET address = replace(address, 'news', 'n*[s') WHERE domain_id = ? AND local_part <= 'news002500'";
	await app.database.client.execute({ sql: odd, args: [large] });
	for (const [search, total] of [
		['n*[s', 2500],
		['n?[s', 0],
		['n*s0', 0],
		['news', many - 2500]
	] as const)
		expect([search, (await api.list({ search, limit: 1 })).total]).toEqual([search, total]);
});
