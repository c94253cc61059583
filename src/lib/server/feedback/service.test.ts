import { inspect } from 'node:util';
import { beforeEach, describe, expect, it } from 'vitest';
import { openTestApp, testClock } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { insertDomain, insertEvent, insertPool, insertSenders } from '../../../../tests/support/rows.ts';
import { logReader, logSegments } from '../mail-log/tables.ts';
import { update } from '../settings/service.ts';
import { countFeedback } from './counts.ts';
import * as inputs from './inputs.ts';
import { listFeedback } from './list.ts';
import { parseReport } from './parse.ts';
import { getFeedbackState } from './state.ts';
import { feedbackCounts } from './tables.ts';

const hour = 3_600_000;
const clock = testClock();
let app: TestApp;
beforeEach(async () => {
	app = await openTestApp({ clock: clock.now });
});

describe('list', () => {
	const list = (input: object) => listFeedback(app, inputs.listFeedback.parse(input));
	const recipients = async (input: object) => (await list(input)).items.map(({ recipient }) => recipient);

	it('filters by each field, the newest first', async () => {
		const domainId = await insertDomain(app);
		await insertSenders(app, { domainId, poolId: await insertPool(app), count: 1 });
		const senderId = (await app.database.client.execute('SELECT id FROM senders')).rows[0]!['id'] as string;
		const now = clock.now();
		await insertEvent(app, { recipient: 'old@example.org', at: now - 5 * hour, domainId, senderId });
		await insertEvent(app, { recipient: 'anna@example.org', at: now - hour, kind: 'complaint', class: 'not-spam' });
		await insertEvent(app, { recipient: 'ann@example.net', at: now, class: 'QuotaIssues', domainId: 'g'.repeat(16) });
		expect(await recipients({})).toEqual(['ann@example.net', 'anna@example.org', 'old@example.org']);
		expect(await recipients({ domainId })).toEqual(['old@example.org']);
		expect(await recipients({ senderId })).toEqual(['old@example.org']);
		expect(await recipients({ kind: 'complaint' })).toEqual(['anna@example.org']);
		expect(await recipients({ class: 'QuotaIssues' })).toEqual(['ann@example.net']);
		expect(await recipients({ recipient: 'Ann' })).toEqual(['ann@example.net', 'anna@example.org']);
		expect(await recipients({ recipient: 'ann@' })).toEqual(['ann@example.net']);
		expect(await recipients({ recipient: '%' })).toEqual([]);
		expect(await recipients({ from: now - hour, to: now - 1 })).toEqual(['anna@example.org']);
		expect(await recipients({ search: 'example.org', sort: { by: 'at', dir: 'asc' } })).toEqual([
			'old@example.org',
			'anna@example.org'
		]);
		const [gone, wanted, known] = (await list({})).items;
		expect(gone).toMatchObject({ domain: { id: 'g'.repeat(16), name: null }, sender: null });
		expect(wanted).toMatchObject({ domain: null, isComplaint: false, meaning: '' });
		expect(known).toMatchObject({
			domain: { name: 'example.com' },
			sender: { address: 'news000001@example.com' },
			meaning: 'There is no such mailbox at this domain. Refused for good.'
		});
	});

	it('pages through more rows than one look takes, with and without a filter', async () => {
		await app.database.client.execute(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
			INSERT INTO feedback_events (at, kind, class, recipient, return_path, diagnostic, reporter, message_id, segment, line)
			SELECT ${clock.now()} - (i % 700) * 1000, iif(i % 1000 = 3, 'report', 'bounce'), 'x', 'r' || i || '@example.org', '', '', '', '', '', i FROM n`);
		expect((await list({})).total).toBe(12_000);
		for (const dir of ['asc', 'desc']) {
			const query = { kind: 'report', limit: 5, sort: { by: 'at', dir } };
			const seen: number[] = [];
			let cursor: string | undefined;
			do {
				const page = await list({ ...query, ...(cursor !== undefined && { cursor }) });
				expect(page.total).toBe(12);
				seen.push(...page.items.map(({ at }) => at));
				cursor = page.nextCursor ?? undefined;
			} while (cursor !== undefined);
			expect(seen).toHaveLength(12);
			expect(seen).toEqual(seen.toSorted((a, b) => (dir === 'asc' ? a - b : b - a)));
		}
	});
});

describe('counts', () => {
	it('adds up hours and days, leaves out what is no complaint, and names the domains with most', async () => {
		const domainId = await insertDomain(app);
		const now = clock.now();
		const count = (hoursAgo: number, kind: string, number: number, group = 'x', owner = domainId) =>
			({ hourAt: now - hoursAgo * hour, domainId: owner, senderId: '', kind, class: group, count: number }) as never;
		await app.db
			.insert(feedbackCounts)
			.values([
				count(1, 'bounce', 2),
				count(1, 'bounce', 3, 'y', ''),
				count(2, 'expiry', 4),
				count(2, 'complaint', 5, 'abuse'),
				count(2, 'complaint', 100, 'not-spam'),
				count(30, 'report', 7),
				count(26, 'complaint', 9, 'dmarc', 'removed')
			]);
		const ask = (input: object) =>
			countFeedback(app, inputs.countFeedback.parse({ from: now - 24 * hour, to: now, ...input }));
		const day = await ask({});
		expect(day.totals).toEqual({ bounces: 5, expiries: 4, reports: 0, complaints: 5 });
		expect(day.buckets).toHaveLength(24);
		expect(day.buckets.at(-1)).toEqual({ at: now - hour, bounces: 5, expiries: 0, reports: 0, complaints: 0 });
		expect(day.domains).toEqual([
			{ id: domainId, name: 'example.com', bounces: 2, expiries: 4, reports: 0, complaints: 5 },
			{ id: null, name: null, bounces: 3, expiries: 0, reports: 0, complaints: 0 }
		]);
		expect(day.classes[0]).toEqual({ kind: 'complaint', class: 'not-spam', count: 100 });
		const week = await ask({ by: 'day', from: now - 48 * hour, domainId });
		expect(week.totals).toEqual({ bounces: 2, expiries: 4, reports: 7, complaints: 5 });
		expect(week.buckets.map(({ at, reports }) => [new Date(at).toISOString().slice(0, 10), reports])).toEqual([
			['2026-01-03', 0],
			['2026-01-04', 7],
			['2026-01-05', 0]
		]);
		expect(week.domains).toEqual([]);
	});

	it.each([
		[{ from: 5, to: 5 }],
		[{ from: 0, to: 9 * 24 * hour }],
		[{ by: 'day', from: 0, to: 32 * 24 * hour }],
		[{ by: 'day', from: 0, to: 401 * 24 * hour, domainId: 'a'.repeat(16) }]
	])('refuses the range %j', (input) => {
		expect(inputs.countFeedback.safeParse(input).error?.issues.map(({ path }) => path)).toEqual([['to']]);
	});
});

it('the state says how far the log was read and what could not be', async () => {
	expect(await getFeedbackState(app)).toMatchObject({
		state: 'never',
		lastSegment: null,
		lagMs: null,
		badSegments: []
	});
	const now = clock.now();
	await update(app, { logs: { directory: '/var/log/kumomta', maxSegmentSeconds: 10, retentionDays: 30 } });
	const segment = { directory: '/var/log/kumomta', inode: '1', bytes: 1, lines: 9, unreadableLines: 0 };
	await app.db.insert(logSegments).values([
		{ ...segment, id: 'a', name: '20260105-115800', state: 'damaged', seenAt: now - 2000 },
		{ ...segment, id: 'b', name: '20260105-115900', state: 'done', unreadableLines: 1, seenAt: now - 1000 },
		{ ...segment, id: 'c', name: '20260105-115930.5', state: 'open', seenAt: now },
		{ ...segment, id: 'd', name: 'elsewhere', directory: '/other', state: 'damaged', seenAt: now + 1 }
	]);
	const reader = { id: 1, directory: '/var/log/kumomta', code: null, sinceAt: now, readAt: now };
	await app.db.insert(logReader).values({ ...reader, state: 'behind' });
	await insertEvent(app, { at: now - 99 });
	expect(await getFeedbackState(app)).toMatchObject({
		state: 'behind',
		lagMs: 30_000,
		lastSegment: { name: '20260105-115930.5', lines: 9, seenAt: now },
		badSegments: [
			{ name: '20260105-115900', what: 'unreadable-lines', unreadableLines: 1 },
			{ name: '20260105-115800', what: 'damaged' }
		],
		badSegmentCount: 2,
		eventCount: 1,
		oldestEventAt: now - 99
	});
});

it('a pasted report is explained, and is not kept anywhere', () => {
	const secret = 'a private sentence';
	const { text } = inputs.parseReport.parse({
		text: `From: MAILER-DAEMON@example.org\nTo: bounces+ann=example.org@bounce.example.com\n\n<forwarded@example.net>: 550 5.2.2 full\n\n${secret}`
	});
	for (const printed of [JSON.stringify({ text }), String(text), inspect(text)]) expect(printed).not.toContain(secret);
	expect(parseReport(text)).toMatchObject({
		kind: 'delivery',
		writtenRecipient: 'ann@example.org',
		recipients: [{ address: 'forwarded@example.net', meaning: 'The mailbox is full. Refused for good.' }]
	});
	for (const wrong of ['', ' \n ', 'x'.repeat(262_145)])
		expect(inputs.parseReport.safeParse({ text: wrong }).success).toBe(false);
});
