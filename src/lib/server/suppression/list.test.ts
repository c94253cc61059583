import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/libsql/sqlite3';
import { beforeAll, describe, expect, it } from 'vitest';
import { caller, openTestApp, testClock } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { insertDomain } from '../../../../tests/support/rows.ts';
import { listSuppressions } from './list.ts';
import { reasons } from './tables.ts';

type Asked = Parameters<typeof listSuppressions>[1];
type ListInput = Parameters<ReturnType<typeof caller>['suppression']['list']>[0];

const clock = testClock();
let app: TestApp;
let domainId: string;

/** 30,000 entries at three hosts, on the global list and on that of one domain, with each reason. */
beforeAll(async () => {
	app = await openTestApp({ clock: clock.now });
	domainId = await insertDomain(app);
	await app.db.run(sql`with recursive n(i) as (select 1 union all select i + 1 from n where i < 30000)
		insert into suppressions (address, scope, reason, created_at, count, note, added_by)
		select printf('u%05d@%s.example', i * 7919 % 30000, substr('onetwosix', i % 3 * 3 + 1, 3)),
			case when i % 10 = 0 then ${domainId} else '' end,
			case i % 1000 when 0 then 'complaint' when 1 then 'manual' when 2 then 'soft-bounce' when 3 then 'import' else 'hard-bounce' end,
			i, 0, '', 'test' from n`);
});

const list = (input: ListInput) => caller(app).suppression.list(input);

async function everything(input: NonNullable<ListInput>): Promise<string[]> {
	const found: string[] = [];
	for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
		const page = await list({ ...input, limit: 200, ...(cursor !== undefined && { cursor }) });
		found.push(...page.items.map(({ address, domain }) => `${address} ${domain?.id ?? ''}`));
		cursor = page.nextCursor ?? undefined;
	}
	return found;
}

const filters: [string, () => NonNullable<ListInput>, string][] = [
	['a domain', () => ({ domainId }), `scope = ':domain'`],
	['a domain and a reason', () => ({ domainId, reason: 'complaint' }), `scope = ':domain' and reason = 'complaint'`],
	['the global list by address', () => ({ domainId: null, search: 'u000' }), `scope = '' and address like 'u000%'`],
	['a reason', () => ({ reason: 'manual' }), `reason = 'manual'`],
	[
		'a host and a reason',
		() => ({ search: '@TWO.example', reason: 'import' }),
		`address like '%@two.example' and reason = 'import'`
	],
	['the beginning of an address', () => ({ search: 'U0012' }), `address like 'u0012%'`],
	['a host', () => ({ search: '@six.example' }), `address like '%@six.example'`]
];

describe('a page of the list', () => {
	it.each(filters)('finds %s, each entry once, in both directions', async (_, input, where) => {
		const { rows } = await app.database.client.execute(
			`select address || ' ' || scope as key from suppressions where ${where.replace(':domain', domainId)} order by address, scope`
		);
		const expected = rows.map(({ key }) => key as string);
		expect(expected.length).toBeGreaterThan(5);
		expect(await everything(input())).toEqual(expected);
		expect(await everything({ ...input(), sort: { by: 'address', dir: 'desc' } })).toEqual(expected.toReversed());
		const { total, totalIsExact } = await list({ ...input(), limit: 1 });
		expect({ total, totalIsExact }).toEqual({
			total: Math.min(1000, expected.length),
			totalIsExact: expected.length <= 1000
		});
	});

	it('says that there are more than it counted', async () => {
		expect(await list({ limit: 1 })).toMatchObject({ total: 1000, totalIsExact: false });
	});

	const plans: [string, () => NonNullable<ListInput>][] = [
		['no filter', () => ({})],
		['the newest first', () => ({ sort: { by: 'createdAt', dir: 'desc' } })],
		...filters.map(([name, input]): [string, () => NonNullable<ListInput>] => [name, input])
	];
	it.each(plans)('with %s is a range of an index and sorts no more than a page', async (_, input) => {
		const page = await list({ ...input(), limit: 5 });
		const statements: { sql: string; args: [] }[] = [];
		const { cursor, ...request } = { ...input(), limit: 5, cursor: page.nextCursor ?? undefined };
		await listSuppressions(recording(statements), { ...request, ...(cursor !== undefined && { cursor }) } as Asked);
		expect(statements.length).toBeGreaterThan(1);
		for (const { sql: text, args } of statements) {
			const { rows } = await app.database.client.execute({ sql: `explain query plan ${text}`, args });
			const steps = rows.map(({ detail }) => detail as string);
			expect(
				steps.filter((step) => /^SCAN suppressions(?! USING)/.test(step)),
				text
			).toEqual([]);
			const sorted = steps.filter((step) => /TEMP B-TREE FOR ORDER BY/.test(step)).length;
			// Of the few rows of a page, which stand in a subquery of at most `limit` rows for each reason.
			expect(sorted, steps.join('\n')).toBeLessThanOrEqual(
				steps.some((step) => /UNION|LIST SUBQUERY/.test(step)) ? 2 : 0
			);
		}
	});

	/** The database, writing down what is asked of it. */
	function recording(statements: { sql: string; args: [] }[]) {
		const client = new Proxy(app.database.client, {
			get(target, property) {
				if (property !== 'execute') return Reflect.get(target, property) as unknown;
				return (statement: { sql: string; args: [] }) => {
					statements.push(statement);
					return target.execute(statement);
				};
			}
		});
		return drizzle({ client });
	}

	it.each([
		[{ search: '@one.example', domainId: null }, 'search', 'search-needs-all-lists'],
		[{ sort: { by: 'createdAt', dir: 'desc' }, reason: reasons[0] }, 'sort.by', 'sort-needs-whole-list'],
		[{ sort: { by: 'createdAt', dir: 'asc' }, search: 'a' }, 'sort.by', 'sort-needs-whole-list']
	] as [ListInput, string, string][])('refuses %j, which no index holds', async (input, field, reason) => {
		const error = await list(input).catch((thrown: unknown) => thrown);
		expect(error).toMatchObject({ code: 'BAD_REQUEST', cause: { detail: { field, reason } } });
	});
});
