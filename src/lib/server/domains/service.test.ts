import { sql } from 'drizzle-orm';
import { beforeEach, describe, expect, it } from 'vitest';
import { caller, openTestApp, testClock } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { refusalOf } from '../../../../tests/support/refusal.ts';
import { insertPool, insertSenders } from '../../../../tests/support/rows.ts';
import { bounceAccounts } from '../bounces/tables.ts';
import { dkimKeys, keyRequests, usedSelectors } from '../dkim/tables.ts';
import { policyDomain } from '../policy/input.ts';
import { removedSenders, senders } from '../senders/tables.ts';
import { domains } from './tables.ts';

let app: TestApp;
let api: ReturnType<typeof caller>;
const clock = testClock();

beforeEach(async () => {
	app = await openTestApp({ clock: clock.now });
	api = caller(app);
});

const create = (name = 'example.com') => api.domains.create({ name });

function insertAccount(domainId: string, address: string) {
	const [localPart = ''] = address.split('@');
	return app.db
		.insert(bounceAccounts)
		.values({ domainId, localPart, address, quotaBytes: 1, retentionDays: 1, notes: '', enabled: true, createdAt: 1 });
}

async function explain(statement: string): Promise<string> {
	const plan = await app.database.client.execute(`EXPLAIN QUERY PLAN ${statement}`);
	return plan.rows.map((row) => row.detail as string).join('\n');
}

describe('what never becomes a domain', () => {
	it.each([
		['empty', { name: '' }, 'name'],
		['one label', { name: 'localhost' }, 'name'],
		['an address', { name: '192.0.2.1' }, 'name'],
		['an IPv6 address', { name: '[2001:db8::1]' }, 'name'],
		['a line break', { name: 'a.example\nb.example' }, 'name'],
		['NUL', { name: 'a\0.example' }, 'name'],
		['a path', { name: '../../etc.example' }, 'name'],
		['a quote', { name: 'a".example' }, 'name'],
		['bidi', { name: 'a\u202eb.example' }, 'name'],
		['an underscore', { name: 'mail_x.example.com' }, 'name'],
		['a wildcard', { name: '*.example.com' }, 'name'],
		['an empty label', { name: 'a..example' }, 'name'],
		['a label of 64', { name: `${'x'.repeat(64)}.example` }, 'name'],
		['over 246 octets', { name: `${'x.'.repeat(122)}com` }, 'name'],
		['over 1000 characters', { name: 'x.'.repeat(600) }, 'name'],
		['a bounce host with a port', { name: 'a.example', bounceHost: 'bounce.a.example:25' }, 'bounceHost'],
		['a bounce host with an underscore', { name: 'a.example', bounceHost: 'b_.a.example' }, 'bounceHost'],
		[
			'a complaint address with a line break',
			{ name: 'a.example', complaintAddress: 'a@a.example\nBcc: b@b.example' },
			'complaintAddress'
		],
		[
			'a complaint address with an underscore in its host',
			{ name: 'a.example', complaintAddress: 'a@b_c.example' },
			'complaintAddress'
		],
		[
			'a DMARC percentage of 101',
			{ name: 'a.example', dmarc: { policy: 'none' as const, percentage: 101 } },
			'dmarc.percentage'
		],
		[
			'DMARC reports to no address',
			{ name: 'a.example', dmarc: { policy: 'none' as const, aggregateReports: 'a@b.example, x; p=none' } },
			'dmarc.aggregateReports'
		],
		[
			'eleven report addresses',
			{ name: 'a.example', dmarc: { policy: 'none' as const, failureReports: Array(11).fill('a@b.example').join() } },
			'dmarc.failureReports'
		]
	])('%s', async (_, input, field) => {
		expect(Object.keys((await refusalOf(api.domains.create(input))).fieldErrors)).toEqual([field]);
		expect(await app.db.$count(domains)).toBe(0);
	});

	it('the second of two, made in parallel, in whatever spelling', async () => {
		const spellings = ['bücher.example', 'BÜCHER.example.', 'xn--bcher-kva.example', 'bu\u0308cher.example'];
		const outcomes = await Promise.allSettled(spellings.map(create));
		expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
		expect(await app.db.$count(domains)).toBe(1);
		expect(await refusalOf(create('Bücher.example'))).toMatchObject({
			code: 'CONFLICT',
			reason: 'name-taken',
			fieldErrors: { name: [expect.any(String)] }
		});
	});

	it.each([
		['its own name', { name: 'b.example', bounceHost: 'b.example' }, 'bounceHost'],
		['another bounce host', { name: 'b.example', bounceHost: 'bounce.a.example' }, 'bounceHost'],
		['another domain', { name: 'b.example', bounceHost: 'A.example' }, 'bounceHost'],
		['a bounce host as its name', { name: 'bounce.a.example' }, 'name']
	])('one with %s for a name that is taken', async (_, input, field) => {
		await create('a.example');
		const refusal = await refusalOf(api.domains.create(input));
		expect([refusal.code, Object.keys(refusal.fieldErrors)]).toEqual(['CONFLICT', [field]]);
		expect(await app.db.$count(domains)).toBe(1);
	});
});

describe('a domain', () => {
	it('is whole from its name alone, and fits the policy', async () => {
		const domain = await create('Bücher.Example');
		expect(domain).toMatchObject({
			name: 'xn--bcher-kva.example',
			displayName: 'bücher.example',
			bounceHost: 'bounce.xn--bcher-kva.example',
			acceptAnyReturnPath: true,
			reportFailures: true,
			suppression: true,
			complaintAddress: null,
			dmarc: { policy: 'none', percentage: 100, aggregateReports: null },
			readiness: { ready: false, reasons: [{ code: 'no-dkim-key' }] },
			senders: 0,
			keys: 0,
			version: 1
		});
		expect(await api.domains.get({ id: domain.id })).toEqual(domain);
		const { id, name, bounceHost, acceptAnyReturnPath, reportFailures, suppression, complaintAddress } = domain;
		const fields = { id, name, bounceHost, acceptAnyReturnPath, reportFailures, suppression, complaintAddress };
		expect(policyDomain.safeParse(fields).success).toBe(true);
	});

	it('may have a name of 246 octets', async () => {
		const name = `${'x'.repeat(60)}.`.repeat(4) + 'ab';
		expect(name).toHaveLength(246);
		expect((await create(name)).bounceHost).toHaveLength(253);
	});

	it.each([
		['reportFailures', { reportFailures: false, suppression: true }],
		['suppression', { reportFailures: true, suppression: false }]
	] as const)('switches %s off, and nothing else', async (name, expected) => {
		const { id } = await create('a.example');
		expect(await api.domains.update({ id, version: 1, [name]: false })).toMatchObject(expected);
		expect(await api.domains.update({ id, acceptAnyReturnPath: false })).toMatchObject(expected);
		const made = await api.domains.create({ name: 'b.example', [name]: false });
		expect(await api.domains.get({ id: made.id })).toMatchObject(expected);
	});

	it('keeps what an update leaves out, clears what is null, and counts versions', async () => {
		const { id } = await api.domains.create({
			name: 'a.example',
			complaintAddress: 'Abuse@A.example',
			dmarc: { policy: 'reject', aggregateReports: 'mailto:D@a.example, x@b.example' }
		});
		const changed = await api.domains.update({ id, version: 1, acceptAnyReturnPath: false });
		expect(changed).toMatchObject({
			acceptAnyReturnPath: false,
			complaintAddress: 'abuse@a.example',
			dmarc: { policy: 'reject', aggregateReports: 'd@a.example,x@b.example' },
			version: 2
		});
		expect(await api.domains.update({ id, complaintAddress: null })).toMatchObject({
			complaintAddress: null,
			version: 3
		});
		expect(await refusalOf(api.domains.update({ id, version: 2, complaintAddress: null }))).toMatchObject({
			code: 'CONFLICT',
			reason: 'version-moved'
		});
		expect(await refusalOf(api.domains.update({ id, name: 'b.example' } as never))).toMatchObject({
			code: 'BAD_REQUEST'
		});
		expect(await refusalOf(api.domains.get({ id: 'x'.repeat(16) }))).toMatchObject({
			code: 'NOT_FOUND',
			reason: 'no-such-domain'
		});
	});

	it('takes its bounce accounts along to another bounce host', async () => {
		const { id } = await create('a.example');
		await insertAccount(id, 'b1@bounce.a.example');
		await create('b.example');
		expect(await refusalOf(api.domains.update({ id, bounceHost: 'bounce.b.example' }))).toMatchObject({
			reason: 'bounce-host-taken'
		});
		expect(await api.domains.update({ id, bounceHost: 'bounce.a.example' })).toMatchObject({ version: 2 });
		await api.domains.update({ id, bounceHost: 'returns.a.example' });
		expect(await app.db.select().from(bounceAccounts)).toMatchObject([{ address: 'b1@returns.a.example', version: 2 }]);
	});

	it('says why it is not ready, until a key signs', async () => {
		const { id } = await create();
		const reasons = async () => (await api.domains.get({ id })).readiness.reasons.map(({ code }) => code);
		await app.db.insert(keyRequests).values({ domainId: id, importId: null, requestedAt: 1 });
		expect(await reasons()).toEqual(['dkim-key-requested']);
		const key = await api.dkim.generate({ domainId: id, algorithm: 'ed25519' });
		expect(await reasons()).toEqual(['dkim-key-pending']);
		await api.dkim.activate({ id: key.id });
		expect(await api.domains.get({ id })).toMatchObject({
			readiness: { ready: true, reasons: [] },
			keys: 1,
			activeKeys: 1
		});
		await api.dkim.retire({ id: key.id });
		await app.db.delete(keyRequests);
		expect(await reasons()).toEqual(['no-dkim-key']);
	});
});

describe('removing', () => {
	it('an empty domain needs no confirmation', async () => {
		const { id } = await create();
		expect(await api.domains.remove({ id })).toEqual({ id });
		expect(await refusalOf(api.domains.remove({ id }))).toMatchObject({ code: 'NOT_FOUND' });
		expect((await create()).id).not.toBe(id);
	});

	it('takes senders, keys and bounce accounts along in one step, named before and confirmed', async () => {
		const { id } = await create('bücher.example');
		const other = await create('b.example');
		const poolId = await insertPool(app, 'warm');
		await insertSenders(app, { domainId: id, poolId, count: 2 });
		await app.db.insert(senders).values({
			domainId: other.id,
			localPart: 'a',
			address: 'a@b.example',
			tenant: 'a.b.example',
			poolId,
			fromPolicy: 'address',
			status: 'enabled',
			createdAt: 1
		});
		await insertAccount(id, 'b1@bounce.xn--bcher-kva.example');
		const key = await api.dkim.generate({ domainId: id, algorithm: 'ed25519' });
		expect(await api.domains.impact({ id })).toEqual({ senders: 2, keys: 1, bounceAccounts: 1 });

		for (const confirm of [undefined, '', 'b.example', 'xn--bcher-kva.example x']) {
			const refusal = await refusalOf(api.domains.remove({ id, confirm }));
			expect(refusal).toMatchObject({
				code: 'PRECONDITION_FAILED',
				reason: 'confirm-needed',
				fieldErrors: { confirm: [expect.stringContaining('2 senders')] }
			});
		}
		expect(await refusalOf(api.domains.remove({ id, version: 9, confirm: 'bücher.example' }))).toMatchObject({
			reason: 'version-moved'
		});
		expect(await api.domains.remove({ id, confirm: 'Bücher.example' })).toEqual({ id });

		expect((await app.db.select().from(senders)).map(({ address }) => address)).toEqual(['a@b.example']);
		expect([await app.db.$count(dkimKeys), await app.db.$count(bounceAccounts)]).toEqual([0, 0]);
		expect(
			(await app.db.select().from(removedSenders)).map(({ poolName, keptUntilAt }) => [poolName, keptUntilAt])
		).toEqual(Array(2).fill(['warm', clock.now() + 7 * 24 * 60 * 60_000]));
		expect(await app.db.select().from(usedSelectors)).toMatchObject([
			{ domainName: 'xn--bcher-kva.example', selector: key.selector }
		]);
		const again = await create('bücher.example');
		expect((await api.dkim.generate({ domainId: again.id, algorithm: 'ed25519' })).selector).toBe('k2');
		const broken = await app.database.client.execute('PRAGMA foreign_key_check');
		expect(broken.rows).toEqual([]);
	});
});

describe('the list', () => {
	it('pages exactly at the boundary, both ways, by name and by time', async () => {
		for (const name of ['c.example', 'a.example', 'b.example', 'd.example']) await create(name);
		for (const by of ['name', 'createdAt'] as const) {
			for (const dir of ['asc', 'desc'] as const) {
				const first = await api.domains.list({ sort: { by, dir }, limit: 2 });
				const second = await api.domains.list({ sort: { by, dir }, limit: 2, cursor: first.nextCursor ?? '' });
				const expected = by === 'name' ? 'abcd' : 'cabd';
				const names = [...first.items, ...second.items].map(({ name }) => name[0]).join('');
				expect(names).toBe(dir === 'asc' ? expected : [...expected].reverse().join(''));
				expect([first.total, second.nextCursor]).toEqual([4, null]);
			}
		}
		expect((await api.domains.list({ limit: 4 })).nextCursor).toBeNull();
	});

	it.each([
		['ex', ['example.com']],
		['am', []],
		['AMPL', ['example.com']],
		['%%%', []],
		['"ex', []],
		['ex*', []],
		['ple.co', ['example.com']]
	])('search %j', async (search, names) => {
		await create();
		await create('other.net');
		const page = await api.domains.list({ search });
		expect([page.items.map(({ name }) => name), page.total]).toEqual([names, names.length]);
	});

	it('reads by index at 10,000 domains, and in a fixed number of queries', async () => {
		await app.db.run(sql`with recursive n(i) as (select 1 union all select i + 1 from n where i < 10000)
			insert into domains (id, name, bounce_host, accept_any_return_path, dmarc, created_at, version)
			select printf('d%015d', i), printf('d%05d.example', i), printf('bounce.d%05d.example', i), 1, '{"policy":"none"}', i, 1 from n`);
		expect(
			await explain(
				"select * from domains where (name, seq) > ('d05000.example', 5000) order by name asc, seq asc limit 51"
			)
		).toMatch(
			/SEARCH domains USING INDEX domains_name_unique \(name>\?\)$|SEARCH domains USING INDEX domains_name_unique \(\(name,rowid\)>\(\?,\?\)\)$/
		);
		expect(
			await explain(
				'select * from domains where (created_at, seq) < (5000, 5000) order by created_at desc, seq desc limit 51'
			)
		).toMatch(/^SEARCH domains USING INDEX domains_created \(.*\)$/);
		expect(
			await explain("select * from domains where name >= 'd0' and name < 'd1' order by name, seq limit 51")
		).toMatch(/^SEARCH domains USING INDEX domains_name_unique \(.*\)$/);
		expect(
			await explain("select domain_id, count(*) from senders where domain_id in ('a', 'b') group by domain_id")
		).toMatch(/^SEARCH senders USING COVERING INDEX senders_domain/);
		expect(
			await explain(
				"select domain_id, sum(state = 'active') from dkim_keys where domain_id in ('a', 'b') group by domain_id"
			)
		).toMatch(/^SEARCH dkim_keys USING COVERING INDEX dkim_keys_domain/);
		const statements: string[] = [];
		const execute = app.database.client.execute.bind(app.database.client);
		const counted = new Proxy(app.database.client, {
			get: (target, property) =>
				property === 'execute'
					? (statement: { sql: string }) => {
							statements.push(statement.sql);
							return execute(statement);
						}
					: (Reflect.get(target, property) as unknown)
		});
		const { drizzle } = await import('drizzle-orm/libsql/sqlite3');
		const page = await caller({ ...app, db: drizzle({ client: counted }) }).domains.list({
			limit: 200,
			sort: { by: 'name', dir: 'desc' }
		});
		expect([page.items.length, page.total, page.items[0]?.name]).toEqual([200, 10_000, 'd10000.example']);
		expect(statements.filter((text) => text.startsWith('select')).length).toBeLessThanOrEqual(6);
	});
});

it('shows what to publish, and NOT_FOUND for a domain that is gone', async () => {
	const { id } = await create();
	const key = await api.dkim.generate({ domainId: id, algorithm: 'rsa-2048' });
	const { records } = await api.domains.dns({ id });
	const published = records.find(({ name }) => name === key.publicRecord.name);
	expect(published).toMatchObject({
		type: 'TXT',
		value: key.publicRecord.value,
		parts: key.publicRecord.parts,
		zone: key.publicRecord.zone
	});
	expect(await refusalOf(api.domains.dns({ id: 'x'.repeat(16) }))).toMatchObject({ code: 'NOT_FOUND' });
	expect(await refusalOf(api.domains.checkDns({ id: 'x'.repeat(16) }))).toMatchObject({ code: 'NOT_FOUND' });
});

it('finds a name by its Unicode label, whole', async () => {
	const app = await openTestApp();
	const domains = caller(app).domains;
	await domains.create({ name: 'bücher.example' });
	await domains.create({ name: 'buecher.example' });
	for (const search of ['bücher', 'BÜCHER.example', 'xn--bcher']) {
		expect(
			(await domains.list({ search })).items.map(({ name }) => name),
			search
		).toEqual(['xn--bcher-kva.example']);
	}
});
