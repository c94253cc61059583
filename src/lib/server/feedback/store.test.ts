import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { openTestApp, temporaryDirectory, testClock } from '../../../../tests/support/app.ts';
import { insertDomain, insertPool, insertSenders } from '../../../../tests/support/rows.ts';
import { createLogTail } from '../mail-log/service.ts';
import { update } from '../settings/service.ts';
import { feedbackTaker } from './store.ts';

const clock = testClock();
const seconds = clock.now() / 1000 - 7200;
const secret = Buffer.from('\0news@example.com\0correct horse').toString('base64');
const record = (fields: object) => ({
	id: 'a1',
	sender: 'bounces@bounce.example.com',
	recipient: 'Ann@Example.org',
	timestamp: seconds,
	response: {
		code: 550,
		enhanced_code: { class: 5, subject: 1, detail: 1 },
		content: `no such user; you said AUTH PLAIN ${secret}`,
		command: `AUTH PLAIN ${secret}`
	},
	peer_address: { name: 'mx.example.org', addr: '192.0.2.1' },
	bounce_classification: 'InvalidRecipient',
	...fields
});

it('records become events and counts by hour, once, with their owner and without credentials', async () => {
	const app = await openTestApp({ clock: clock.now });
	const domainId = await insertDomain(app);
	await insertSenders(app, { domainId, poolId: await insertPool(app), count: 1 });
	const directory = join(temporaryDirectory(), 'logs');
	mkdirSync(directory);
	await update(app, { logs: { directory, maxSegmentSeconds: 10, retentionDays: 30 } });
	const records = [
		record({
			type: 'Bounce',
			recipient: ['a@example.org', 'b@example.org'],
			meta: { tenant: 'news000001.example.com' }
		}),
		record({ type: 'Reception' }),
		record({ type: 'Expiration', sender: 'news000001+7@example.com' }),
		record({ type: 'OOB', sender: 'bounces+ann=example.org@bounce.example.com', recipient: 'forwarded@example.net' }),
		record({ type: 'OOB', timestamp: seconds * 10, bounce_classification: "x'; DROP TABLE senders" }),
		record({
			type: 'Feedback',
			feedback_report: {
				feedback_type: 'Abuse',
				original_rcpto_to: ['eve@example.org'],
				original_mail_from: 'x@elsewhere.example'
			}
		}),
		record({ type: 'Feedback', recipient: null, feedback_report: { feedback_type: '\u202ewild' } }),
		record({
			type: 'Feedback',
			sender: 'fbl@bounce.example.com',
			recipient: null,
			feedback_report: {
				feedback_type: 'not-spam',
				original_message: 'Return-Path: <news000001@example.com>\r\nTo: "Ann" <Ann@Example.org>\r\n\r\nHello'
			}
		})
	];
	writeFileSync(join(directory, '1'), zstdCompressSync(records.map((each) => `${JSON.stringify(each)}\n`).join('')));
	for (const tail of [createLogTail(app, feedbackTaker(app)), createLogTail(app, feedbackTaker(app))]) {
		await tail.turn();
		await tail.turn();
		tail.close();
	}
	const read = async (sql: string) => (await app.database.client.execute(sql)).rows.map((row) => Object.values(row));
	const { rows } = await app.database.client.execute('SELECT id FROM senders');
	const senderId = rows[0]!['id'];
	expect(
		await read('SELECT kind, class, recipient, named, domain_id, sender_id FROM feedback_events ORDER BY id')
	).toEqual([
		['bounce', 'InvalidRecipient', 'a@example.org', null, domainId, senderId],
		['bounce', 'InvalidRecipient', 'b@example.org', null, domainId, senderId],
		['expiry', 'InvalidRecipient', 'ann@example.org', null, domainId, senderId],
		['report', 'InvalidRecipient', 'ann@example.org', 'forwarded@example.net', domainId, null],
		['report', 'Uncategorized', 'ann@example.org', null, domainId, null],
		['complaint', 'abuse', 'eve@example.org', null, null, null],
		['complaint', 'other', '', null, domainId, null],
		['complaint', 'not-spam', 'ann@example.org', null, domainId, senderId]
	]);
	const hour = clock.now() - 7_200_000;
	expect(
		await read(
			'SELECT hour_at, domain_id, sender_id, kind, class, count FROM feedback_counts ORDER BY kind, class, count'
		)
	).toEqual([
		[hour, domainId, senderId, 'bounce', 'InvalidRecipient', 2],
		[hour, '', '', 'complaint', 'abuse', 1],
		[hour, domainId, senderId, 'complaint', 'not-spam', 1],
		[hour, domainId, '', 'complaint', 'other', 1],
		[hour, domainId, senderId, 'expiry', 'InvalidRecipient', 1],
		[hour, domainId, '', 'report', 'InvalidRecipient', 1],
		[clock.now(), domainId, '', 'report', 'Uncategorized', 1]
	]);
	expect(JSON.stringify(await read('SELECT * FROM feedback_events'))).not.toContain(secret);
});
