import { eq } from 'drizzle-orm';
import { beforeEach, describe, expect, it } from 'vitest';
import { caller, openTestApp, testClock } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { insertDomain } from '../../../../tests/support/rows.ts';
import { auditEntries } from '../audit/tables.ts';
import { domains } from '../domains/tables.ts';
import { readCsv } from '../imports/csv.ts';
import { removeEnded } from './housekeeping.ts';
import { removedScopes, suppressions } from './tables.ts';

const clock = testClock();
let app: TestApp;
let domainId: string;

beforeEach(async () => {
	app = await openTestApp({ clock: clock.now });
	domainId = await insertDomain(app);
});

const api = () => caller(app).suppression;

describe('many at once', () => {
	it('answers each wrong line with its place and does the others, the same ones once', async () => {
		const add = ['a@example.org', 'not an address', 'A@EXAMPLE.org', 'b@example.org', '"x y"@example.org', ''];
		expect(await api().bulk({ domainId, add, note: 'old server' })).toEqual({
			added: 2,
			known: 0,
			removed: 0,
			absent: 0,
			errors: [1, 4, 5].map((index) => ({ list: 'add', index, message: expect.any(String) }))
		});
		expect(await api().bulk({ domainId, add, remove: ['b@example.org', 'z@example.org'] })).toMatchObject({
			added: 1,
			known: 1,
			removed: 1,
			absent: 1
		});
		const { items } = await api().list();
		expect(items.map(({ address, reason, note }) => [address, reason, note])).toEqual([
			['a@example.org', 'import', 'old server'],
			['b@example.org', 'import', '']
		]);
	});

	it('is one row of the audit log, with counts and without addresses', async () => {
		await api().bulk({ add: ['secret.person@example.org', 'another@example.org'], remove: ['third@example.org'] });
		const rows = await app.db.select().from(auditEntries);
		expect(rows).toHaveLength(1);
		expect(rows[0]).toMatchObject({
			action: 'suppression.bulk',
			outcome: 'ok',
			input: { add: { count: 2 }, remove: { count: 1 }, reason: 'import' }
		});
		expect(JSON.stringify(rows)).not.toContain('@example.org');
	});

	it('takes 2,000 and refuses one more', async () => {
		const add = Array.from({ length: 2001 }, (_, index) => `u${index}@example.org`);
		await expect(api().bulk({ add })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
		expect(await api().bulk({ add: add.slice(1) })).toMatchObject({ added: 2000, errors: [] });
	});
});

it('an export is the whole list, page by page, and says nothing that a spreadsheet would run', async () => {
	await api().bulk({ add: Array.from({ length: 25 }, (_, index) => `u${index}@example.org`) });
	await api().add({ address: '=1+1@example.org', domainId, note: '=HYPERLINK("http://x"), "quoted"\nsecond line' });
	let text = '';
	for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
		const page = await api().export({ limit: 7, ...(cursor !== undefined && { cursor }) });
		text += page.text;
		cursor = page.nextCursor ?? undefined;
	}
	const [head, ...rows] = [...readCsv(text)].map(({ fields }) => fields);
	expect(head?.slice(0, 3)).toEqual(['address', 'domain', 'reason']);
	expect(rows).toHaveLength(26);
	const cells = rows.flat();
	expect(cells.filter((cell) => /^[=+\-@]/.test(cell))).toEqual([]);
	expect(rows[0]).toEqual([
		"'=1+1@example.org",
		'example.com',
		'manual',
		new Date(clock.now()).toISOString(),
		...['', '', '', '', ''],
		'\'=HYPERLINK("http://x"), "quoted" second line'
	]);
	expect((await api().export({ domainId: null })).rows).toBe(25);
});

it('adding an address again changes its note and expiry, and makes no second entry', async () => {
	const first = await api().add({ address: 'ann@example.org', note: 'one', expiresAt: clock.now() + 1000 });
	const second = await api().add({ address: 'ANN@example.org', note: 'two' });
	expect(second).toMatchObject({ id: first.id, note: 'two', expiresAt: null, version: 2 });
	await expect(api().add({ address: 'ann@example.org', expiresAt: clock.now() })).rejects.toMatchObject({
		cause: { detail: { reason: 'expiry-passed' } }
	});
});

it('a check tells the lists apart', async () => {
	const other = await insertDomain(app, 'other.example');
	await api().add({ address: 'ann@example.org', domainId });
	const check = async (input: { domainId?: string | null }) => {
		const { suppressed, entries } = await api().check({ address: 'ann@example.org', ...input });
		return [suppressed, entries.length];
	};
	expect(await check({ domainId })).toEqual([true, 1]);
	expect(await check({ domainId: other })).toEqual([false, 0]);
	expect(await check({ domainId: null })).toEqual([false, 0]);
	expect(await check({})).toEqual([false, 1]);
	await api().add({ address: 'ann@example.org' });
	expect(await check({ domainId: other })).toEqual([true, 1]);
	expect(await check({})).toEqual([true, 2]);
});

it('the list of a removed domain goes, and nothing of another one', async () => {
	const other = await insertDomain(app, 'other.example');
	const many = Array.from({ length: 1200 }, (_, index) => `u${index}@example.org`);
	await api().bulk({ domainId, add: many });
	await api().bulk({ domainId: other, add: many.slice(0, 3) });
	await api().bulk({ add: many.slice(0, 2) });
	await app.db.delete(domains).where(eq(domains.id, domainId));
	await removeEnded(app);
	expect(await app.db.$count(suppressions)).toBe(5);
	expect(await app.db.$count(removedScopes)).toBe(0);
});

it('rules keep what is absent and are refused outside their bounds', async () => {
	const before = await api().rules.get();
	const soft = { ...before.soft, count: 3 };
	expect(await api().rules.update({ soft, version: 1 })).toEqual({
		...before,
		soft,
		version: 2,
		updatedAt: clock.now()
	});
	await expect(api().rules.update({ soft, version: 1 })).rejects.toMatchObject({ code: 'CONFLICT' });
	for (const wrong of [{ count: 0 }, { days: 91 }, { expiryDays: 366 }, { classes: ['a b'] }])
		await expect(api().rules.update({ soft: { ...soft, ...wrong } })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
});
