import { beforeEach, describe, expect, it } from 'vitest';
import { caller, openTestApp, testClock } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { insertDomain } from '../../../../tests/support/rows.ts';
import { removeEnded } from './housekeeping.ts';
import { strike } from './strike.ts';
import type { StrikeEvent } from './strike.ts';
import { strikes } from './tables.ts';

const day = 86_400_000;
const clock = testClock();
let app: TestApp;
let domainId: string;

beforeEach(async () => {
	app = await openTestApp({ clock: clock.now });
	domainId = await insertDomain(app);
});

const event = (fields: Partial<StrikeEvent> = {}): StrikeEvent => ({
	at: clock.now(),
	kind: 'bounce',
	class: 'InvalidRecipient',
	recipient: 'Ann@Example.org',
	domainId,
	code: 550,
	status: '5.1.1',
	diagnostic: 'no such user',
	...fields
});

const api = () => caller(app).suppression;
const hit = (...events: StrikeEvent[]) => app.db.transaction((tx) => strike(tx, events));
const listed = async () =>
	(await api().list()).items.map(({ address, reason, domain }) => `${address} ${reason} ${domain?.name ?? 'global'}`);

describe('what suppresses nobody', () => {
	const harmless: [string, Partial<StrikeEvent>][] = [
		['mail refused as spam', { class: 'SpamBlock' }],
		['a class nobody named', { class: 'Uncategorized' }],
		['a report that is no complaint', { kind: 'complaint', class: 'not-spam' }],
		['a report about authentication', { kind: 'complaint', class: 'auth-failure' }],
		['a single full mailbox', { class: 'QuotaIssues' }],
		['mail that was given up, whatever its last answer', { kind: 'expiry' }],
		['mail of no domain of ours', { domainId: null }],
		['a recipient that is no address', { recipient: 'x@' }],
		['no recipient', { recipient: '' }],
		['a host only', { recipient: '@example.org' }]
	];
	it.each(harmless)('%s', async (_, fields) => {
		await hit(event(fields));
		expect(await listed()).toEqual([]);
	});

	it('a transaction that is rolled back', async () => {
		const failing = app.db.transaction(async (tx) => {
			await strike(tx, [event(), event({ class: 'QuotaIssues' })]);
			throw new Error('broken off');
		});
		await expect(failing).rejects.toThrow('broken off');
		expect(await listed()).toEqual([]);
		expect(await app.db.$count(strikes)).toBe(0);
	});

	it('reports, when they do not count, and rules that are off', async () => {
		const { hard } = await api().rules.get();
		await api().rules.update({ reports: false });
		await hit(event({ kind: 'report' }));
		await api().rules.update({ hard: { ...hard, enabled: false } });
		await hit(event());
		expect(await listed()).toEqual([]);
	});
});

describe('what suppresses', () => {
	it('the first hard bounce, on the list of the domain that sent, with its evidence', async () => {
		await hit(event());
		const { items } = await api().list();
		expect(items).toMatchObject([
			{
				address: 'ann@example.org',
				domain: { id: domainId },
				reason: 'hard-bounce',
				expiresAt: null,
				addedBy: 'job:mail-log',
				evidence: {
					class: 'InvalidRecipient',
					code: 550,
					status: '5.1.1',
					diagnostic: 'no such user',
					count: 1,
					firstAt: clock.now(),
					lastAt: clock.now()
				}
			}
		]);
		expect(await api().check({ address: 'ANN@example.org', domainId })).toMatchObject({ suppressed: true });
		expect(await api().check({ address: 'ann@example.org', domainId: null })).toMatchObject({ suppressed: false });
	});

	it('a complaint at once, and the same address twice in one batch counts twice', async () => {
		await hit(event({ kind: 'complaint', class: 'abuse' }), event({ kind: 'complaint', class: 'abuse' }), event());
		const { items } = await api().list();
		expect(items).toMatchObject([{ reason: 'complaint', evidence: { count: 3 } }]);
	});

	it('on everybody’s list where the rule says so, also mail of no known domain', async () => {
		const { hard } = await api().rules.get();
		await api().rules.update({ hard: { ...hard, scope: 'global' } });
		await hit(event({ domainId: null }));
		expect(await listed()).toEqual(['ann@example.org hard-bounce global']);
	});

	it.each([
		[1, [0], false],
		[5, [0, 1, 2, 3], false],
		[5, [0, 1, 2, 3, 4], true],
		[5, [0, 4, 8, 12, 13], true],
		// The first two are older than 14 days when the last one comes.
		[5, [0, 1, 15, 16, 17], false],
		[5, [0, 1, 15, 16, 17, 18, 19], true]
	])('a soft failure for the %i. time within 14 days: days %j → %s', async (_, days, expected) => {
		const start = clock.now();
		for (const each of days) await hit(event({ class: 'QuotaIssues', at: start + each * day }));
		expect((await listed()).length > 0).toBe(expected);
		if (!expected) return;
		const [item] = (await api().list()).items;
		expect(item).toMatchObject({ reason: 'soft-bounce', expiresAt: start + (days.at(-1)! + 30) * day });
		expect(await app.db.$count(strikes)).toBe(0);
	});

	it('five in one batch as five in five, for each recipient apart', async () => {
		const soft = (recipient: string) => event({ class: 'QuotaIssues', recipient });
		await hit(...[1, 2, 3, 4, 5].map(() => soft('ann@example.org')), ...[1, 2, 3].map(() => soft('bob@example.org')));
		expect(await listed()).toEqual(['ann@example.org soft-bounce example.com']);
	});

	it('a soft entry ends by itself, and strikes that no rule looks at any more go', async () => {
		const own = testClock();
		const later = await openTestApp({ clock: own.now });
		const id = await insertDomain(later);
		const soft = (recipient: string) => event({ class: 'QuotaIssues', at: own.now(), domainId: id, recipient });
		await later.db.transaction((tx) =>
			strike(
				tx,
				[1, 2, 3, 4, 5].map(() => soft('ann@example.org'))
			)
		);
		await later.db.transaction((tx) => strike(tx, [soft('bob@example.org')]));
		own.advance(30 * day - 1);
		await removeEnded(later);
		expect((await caller(later).suppression.list()).items).toHaveLength(1);
		own.advance(1);
		expect(await caller(later).suppression.check({ address: 'ann@example.org', domainId: id })).toMatchObject({
			suppressed: false
		});
		await removeEnded(later);
		expect((await caller(later).suppression.list()).items).toEqual([]);
		expect(await later.db.$count(strikes)).toBe(0);
	});
});

describe('the strongest word about an address', () => {
	it('stays: a person’s, a complaint’s, a hard bounce’s; a later event is evidence only', async () => {
		await api().add({ address: 'ann@example.org', domainId, note: 'asked by telephone' });
		await hit(event(), event({ kind: 'complaint', class: 'abuse' }));
		const [item] = (await api().list()).items;
		expect(item).toMatchObject({
			reason: 'manual',
			note: 'asked by telephone',
			addedBy: 'ops@example.net',
			evidence: { count: 2 }
		});
	});

	it('replaces a weaker one with its expiry, and one that has expired', async () => {
		const soft = [1, 2, 3, 4, 5].map(() => event({ class: 'QuotaIssues' }));
		await hit(...soft);
		expect((await api().list()).items[0]).toMatchObject({ reason: 'soft-bounce', expiresAt: clock.now() + 30 * day });
		await hit(event());
		expect((await api().list()).items[0]).toMatchObject({ reason: 'hard-bounce', expiresAt: null });
		await api().add({ address: 'bob@example.org', domainId, expiresAt: clock.now() + 1000 });
		await hit(event({ recipient: 'bob@example.org', at: clock.now() + 2000 }));
		expect((await api().list({ search: 'bob' })).items[0]).toMatchObject({ reason: 'hard-bounce', expiresAt: null });
	});
});
