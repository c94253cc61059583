import {
	chmodSync,
	existsSync,
	mkdirSync,
	readdirSync,
	renameSync,
	rmSync,
	symlinkSync,
	utimesSync,
	writeFileSync
} from 'node:fs';
import { join } from 'node:path';
import { eq, like } from 'drizzle-orm';
import { beforeEach, describe, expect, it } from 'vitest';
import { caller, openTestApp, testClock } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { deliver, deliverNameless, makeMaildir, messagesIn } from '../../../../tests/support/maildir.ts';
import { testHost } from '../../../../tests/support/policy-app.ts';
import { refusalOf } from '../../../../tests/support/refusal.ts';
import { insertDomain } from '../../../../tests/support/rows.ts';
import { auditEntries } from '../audit/tables.ts';
import { keepHouse } from './housekeeping.ts';
import { bounceMailboxes, removedMailboxes } from './tables.ts';

const day = 24 * 60 * 60_000;
const mebibyte = 1_048_576;
const isSlow = () => false;

let app: TestApp;
let api: ReturnType<typeof caller>['bounces'];
let clock: ReturnType<typeof testClock>;
let domainId: string;
let id: string;
let maildir: string;

beforeEach(async () => {
	clock = testClock();
	app = await openTestApp({ clock: clock.now, host: testHost() });
	api = caller(app).bounces;
	domainId = await insertDomain(app);
	({ id } = await api.create({
		domainId,
		localPart: 'returns',
		password: null,
		retentionDays: 10,
		quotaBytes: mebibyte
	}));
	mkdirSync(app.env.mailRoot, { recursive: true });
	maildir = makeMaildir(join(app.env.mailRoot, id));
});

/** The next run, a minute later. */
async function run(): Promise<void> {
	clock.advance(60_000);
	await keepHouse(app, isSlow);
}
const jobRows = () => app.db.select().from(auditEntries).where(like(auditEntries.actor, 'job:%'));

describe('what must never happen', () => {
	let outside: string;
	beforeEach(() => {
		outside = join(app.env.dataDir, 'outside');
		makeMaildir(outside);
		deliver(outside, { at: clock.now() - 100 * day });
		writeFileSync(join(outside, 'precious'), 'kept');
	});
	const untouched = () => [messagesIn(outside).length, existsSync(join(outside, 'precious'))];

	it.each([
		['the mailbox', () => (rmSync(maildir, { recursive: true }), symlinkSync(outside, maildir))],
		[
			'a part of it',
			() => (rmSync(join(maildir, 'new'), { recursive: true }), symlinkSync(join(outside, 'new'), join(maildir, 'new')))
		],
		['a folder', () => symlinkSync(outside, join(maildir, '.Trash'))],
		['a message', () => symlinkSync(join(outside, 'precious'), join(maildir, 'new', '1000000000.M1P1.mta,S=10'))]
	])('follows %s out of the mail root, or counts what lies there', async (_, plant) => {
		plant();
		await run();
		expect((await api.mailbox({ id })).messages).toBe(0);
		expect(untouched()).toEqual([1, true]);
		await api.emptyMailbox({ id, confirm: 5 }).catch(() => undefined);
		expect(untouched()).toEqual([1, true]);
		await api.remove({ id, deleteMail: true });
		await run();
		expect(untouched()).toEqual([1, true]);
		expect(existsSync(maildir)).toBe(false);
	});

	it('removes mail that is young enough, or another file than a message', async () => {
		const young = deliver(maildir, { at: clock.now() - 9 * day });
		for (const name of ['dovecot-uidlist', 'dovecot.index.log', 'subscriptions'])
			writeFileSync(join(maildir, name), name);
		writeFileSync(join(maildir, 'tmp', 'under-way'), 'half');
		utimesSync(join(maildir, 'tmp', 'under-way'), clock.now() / 1000, clock.now() / 1000);
		await run();
		expect(messagesIn(maildir)).toEqual([`new/${young}`]);
		expect(readdirSync(maildir).sort()).toEqual([
			'cur',
			'dovecot-uidlist',
			'dovecot.index.log',
			'new',
			'subscriptions',
			'tmp'
		]);
		expect(readdirSync(join(maildir, 'tmp'))).toEqual(['under-way']);
		expect(await jobRows()).toEqual([]);
	});

	it('removes the mail of an account that a restored backup brought back', async () => {
		deliver(maildir, { at: clock.now() });
		await app.db.insert(removedMailboxes).values({ id, address: 'a@b.example', removedAt: 1, keptUntilAt: 2 });
		await run();
		expect(messagesIn(maildir)).toHaveLength(1);
		expect(await app.db.$count(removedMailboxes)).toBe(0);
	});

	it('empties a mailbox that holds many more messages than the person was told', async () => {
		for (let count = 0; count < 30; count += 1) deliver(maildir, { at: clock.now() });
		expect(await refusalOf(api.emptyMailbox({ id, confirm: 12 }))).toMatchObject({
			code: 'CONFLICT',
			reason: 'mailbox-grew',
			fieldErrors: { confirm: [expect.stringContaining('30 messages by now, not 12')] }
		});
		expect(messagesIn(maildir)).toHaveLength(30);
		expect(await api.mailbox({ id })).toMatchObject({ messages: 30 });
	});
});

it('counts messages of the inbox and of folders, by their names or as they lie', async () => {
	deliver(maildir, { at: clock.now() - day, bytes: 100 });
	deliver(maildir, { at: clock.now() - 2 * day, bytes: 200, part: 'cur' });
	deliverNameless(maildir, { at: clock.now() - 1000, bytes: 50 });
	deliver(makeMaildir(join(maildir, '.Trash')), { at: clock.now() - day, bytes: 7 });
	await run();
	const state = { messages: 4, bytes: 357, newestAt: clock.now() - 61_000, scannedAt: clock.now(), problem: null };
	expect(await api.mailbox({ id })).toEqual({ id, ...state, quotaBytes: mebibyte, retentionDays: 10 });
	expect((await api.list()).items).toMatchObject([{ id, mailbox: state }]);
});

it('looks again at a mailbox that changed, at once, and at one that did not, after an hour', async () => {
	const settle = (ms: number) => {
		for (const path of ['new', 'cur', '.']) utimesSync(join(maildir, path), ms / 1000, ms / 1000);
	};
	await run();
	const first = (await api.mailbox({ id })).scannedAt;
	settle(clock.now() - 10_000);
	await run();
	expect((await api.mailbox({ id })).scannedAt).toBe(first);
	deliver(maildir, { at: clock.now() });
	settle(clock.now());
	await run();
	expect(await api.mailbox({ id })).toMatchObject({ scannedAt: clock.now(), messages: 1 });
	settle(clock.now() - 10_000);
	clock.advance(59 * 60_000);
	await run();
	expect((await api.mailbox({ id })).scannedAt).toBe(clock.now());
});

describe('retention', () => {
	it('removes whole days, by name or by time, with one audit row that counts', async () => {
		deliver(maildir, { at: clock.now() - 12 * day, bytes: 10 });
		deliver(maildir, { at: clock.now() - 11 * day, bytes: 20, part: 'cur' });
		deliverNameless(maildir, { at: clock.now() - 30 * day, bytes: 30 });
		deliver(maildir, { at: clock.now() - 10 * day, bytes: 40 });
		writeFileSync(join(maildir, 'maildirsize'), '1048576S\n100 4\n');
		await run();
		expect(await api.mailbox({ id })).toMatchObject({ messages: 1, bytes: 40 });
		expect(messagesIn(maildir)).toHaveLength(1);
		expect(existsSync(join(maildir, 'maildirsize'))).toBe(false);
		expect(await jobRows()).toMatchObject([
			{
				actor: 'job:bounces.housekeeping',
				action: 'bounces.removeOldMail',
				target: id,
				outcome: 'ok',
				input: {
					address: 'returns@bounce.example.com',
					expired: { messages: 3, bytes: 60 },
					overQuota: { messages: 0, bytes: 0 }
				}
			}
		]);
	});

	it('keeps what a mail program moved away meanwhile', async () => {
		const name = deliver(maildir, { at: clock.now() - 30 * day });
		const host = testHost((point) => {
			const [from, to] = [join(maildir, 'new', name), join(maildir, 'cur', `${name}:2,S`)];
			if (point === 'mail.remove' && existsSync(from)) renameSync(from, to);
		});
		clock.advance(60_000);
		await keepHouse({ ...app, host }, isSlow);
		expect(messagesIn(maildir)).toEqual([`cur/${name}:2,S`]);
		expect(await api.mailbox({ id })).toMatchObject({ messages: 1 });
	});

	it('removes deliveries that were begun and not ended in 36 hours', async () => {
		const path = join(maildir, 'tmp', 'abandoned');
		writeFileSync(path, 'half');
		utimesSync(path, (clock.now() - 2 * day) / 1000, (clock.now() - 2 * day) / 1000);
		await run();
		expect(existsSync(path)).toBe(false);
	});
});

describe('quota', () => {
	it('removes the oldest until a tenth is free, and nothing below it', async () => {
		const quarter = mebibyte / 4;
		const [oldest, older, ...young] = [5, 4, 3, 2, 1].map((days) =>
			deliver(maildir, { at: clock.now() - days * day, bytes: quarter })
		);
		await run();
		// Five quarters: one over. Two go, since three quarters are the most below 90 %.
		expect(messagesIn(maildir)).toEqual(young.map((name) => `new/${name}`).sort());
		expect(messagesIn(maildir).join()).not.toMatch(new RegExp(`${oldest}|${older}`));
		expect(await jobRows()).toMatchObject([{ input: { overQuota: { messages: 2, bytes: 2 * quarter } } }]);
		await run();
		expect(await jobRows()).toHaveLength(1);
	});

	it('counts what retention removed first', async () => {
		deliver(maildir, { at: clock.now() - 20 * day, bytes: mebibyte });
		deliver(maildir, { at: clock.now() - day, bytes: mebibyte });
		await run();
		expect(await jobRows()).toMatchObject([{ input: { expired: { messages: 1 }, overQuota: { messages: 0 } } }]);
	});
});

describe('a mailbox that cannot be looked into', () => {
	it.each([
		['is not there', () => rmSync(maildir, { recursive: true }), 'no-directory', 0],
		['is a file', () => (rmSync(maildir, { recursive: true }), writeFileSync(maildir, '')), 'not-a-directory', 1]
	])('that %s is told, beside the others', async (_, spoil, code, messages) => {
		deliver(maildir, { at: clock.now() });
		const other = await api.create({ domainId, localPart: 'other', password: null });
		deliver(makeMaildir(join(app.env.mailRoot, other.id)), { at: clock.now() });
		await run();
		spoil();
		await run();
		expect(await api.mailbox({ id })).toMatchObject({ messages, problem: { code, message: expect.any(String) } });
		expect(await api.mailbox({ id: other.id })).toMatchObject({ messages: 1, problem: null });
		expect(await refusalOf(api.emptyMailbox({ id, confirm: 1 }))).toMatchObject({ reason: `mailbox-${code}` });
	});

	it.skipIf(process.geteuid?.() === 0)('because it is closed is told, and its last numbers stay', async () => {
		deliver(maildir, { at: clock.now() });
		await run();
		chmodSync(join(maildir, 'new'), 0);
		await run();
		chmodSync(join(maildir, 'new'), 0o700);
		expect(await api.mailbox({ id })).toMatchObject({ messages: 1, problem: { code: 'no-permission' } });
	});
});

describe('emptying', () => {
	it('removes what is there, tells how many, and leaves what came in meanwhile', async () => {
		for (let count = 0; count < 30; count += 1)
			deliver(maildir, { at: clock.now() - count * 1000, bytes: 10, part: count % 2 ? 'new' : 'cur' });
		const later = deliver(maildir, { at: clock.now() + 60_000 });
		writeFileSync(join(maildir, 'maildirsize'), '');
		expect(await api.emptyMailbox({ id, confirm: 29 })).toEqual({
			id,
			removed: 30,
			removedBytes: 300,
			left: 1,
			isFinished: true
		});
		expect(messagesIn(maildir)).toEqual([`new/${later}`]);
		expect(existsSync(join(maildir, 'maildirsize'))).toBe(false);
		expect(await api.mailbox({ id })).toMatchObject({ messages: 1 });
	});
});

describe('a removed account', () => {
	const removed = () => app.db.select().from(removedMailboxes);

	it('keeps its mail for seven days', async () => {
		deliver(maildir, { at: clock.now() });
		const { keptUntilAt } = await api.remove({ id });
		expect(keptUntilAt).toBe(clock.now() + 7 * day);
		expect(await app.db.$count(bounceMailboxes)).toBe(0);
		clock.advance(7 * day - 61_000);
		await run();
		expect(messagesIn(maildir)).toHaveLength(1);
		await run();
		expect(existsSync(maildir)).toBe(false);
		expect(await removed()).toEqual([]);
		expect(await jobRows()).toMatchObject([
			{ action: 'bounces.removeMailbox', target: id, input: { address: 'returns@bounce.example.com' } }
		]);
	});

	it('loses it with the next run where that was asked, folders and all', async () => {
		deliver(makeMaildir(join(maildir, '.Sent')), { at: clock.now() });
		await api.remove({ id, deleteMail: true });
		await run();
		expect(readdirSync(app.env.mailRoot)).toEqual([]);
	});

	it('loses it over several runs where there is much', async () => {
		for (let count = 0; count < 5; count += 1) deliver(maildir, { at: clock.now() });
		await api.remove({ id, deleteMail: true });
		let looks = 0;
		clock.advance(1);
		await keepHouse(app, () => (looks += 1) > 4);
		expect(messagesIn(maildir).length).toBeGreaterThan(0);
		expect(await removed()).toHaveLength(1);
		await run();
		expect(existsSync(maildir)).toBe(false);
	});

	it('is tried again in an hour when something in it cannot be removed', async () => {
		// Deeper than any mailbox is made.
		mkdirSync(join(maildir, ...'abcdefghijkl'), { recursive: true });
		await api.remove({ id, deleteMail: true });
		await run();
		expect(await removed()).toMatchObject([{ id, keptUntilAt: clock.now() + 60 * 60_000 }]);
		expect(app.logLines.filter((line) => line.includes('mailbox not removed'))).toHaveLength(1);
		await run();
		expect(app.logLines.filter((line) => line.includes('mailbox not removed'))).toHaveLength(1);
	});

	it('keeps it too when the whole domain goes', async () => {
		const { name } = await caller(app).domains.get({ id: domainId });
		await caller(app).domains.remove({ id: domainId, confirm: name });
		expect(await removed()).toEqual([
			{ id, address: 'returns@bounce.example.com', removedAt: clock.now(), keptUntilAt: clock.now() + 7 * day }
		]);
	});

	it('needs no mail root', async () => {
		rmSync(app.env.mailRoot, { recursive: true });
		await api.remove({ id, deleteMail: true });
		await run();
		expect(await app.db.select().from(removedMailboxes).where(eq(removedMailboxes.id, id))).toEqual([]);
	});
});

it('goes on with what waited longest when the time of a run is up', async () => {
	const other = await api.create({ domainId, localPart: 'other', password: null });
	makeMaildir(join(app.env.mailRoot, other.id));
	for (let runs = 0; runs < 2; runs += 1) {
		let looks = 0;
		clock.advance(60_000);
		await keepHouse(app, () => (looks += 1) > 1);
	}
	expect(await app.db.$count(bounceMailboxes)).toBe(2);
});
