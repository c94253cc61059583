import { expect, it } from 'vitest';
import { openTestApp, testClock } from '../../../../tests/support/app.ts';
import { removeOldFeedback } from './retention.ts';
import { feedbackCounts, feedbackEvents } from './tables.ts';

const day = 86_400_000;
const clock = testClock();
const event = (at: number) => ({
	at,
	kind: 'bounce' as const,
	class: 'InvalidRecipient',
	recipient: 'ann@example.org',
	returnPath: 'b@example.com',
	diagnostic: '',
	reporter: '',
	messageId: '',
	segment: '',
	line: 1
});
const count = (hourAt: number) => ({
	hourAt,
	domainId: '',
	senderId: '',
	kind: 'bounce' as const,
	class: 'x',
	count: 1
});

it('old events and counts go, then the first read of too many, in batches', async () => {
	const app = await openTestApp({ clock: clock.now });
	const now = clock.now();
	const ages = [40, 31, 1, 30, 29, 35, 2, 0, 3];
	await app.db.insert(feedbackEvents).values(ages.map((age) => event(now - age * day)));
	await app.db.insert(feedbackCounts).values([401, 400, 399, 500, 0].map((age) => count(now - age * day)));
	const kept = { events: 100, eventMs: 30 * day, countMs: 400 * day, batch: 2 };
	await removeOldFeedback(app, kept);
	const events = async () => (await app.db.select().from(feedbackEvents)).map(({ at }) => (now - at) / day);
	expect(await events()).toEqual([1, 30, 29, 2, 0, 3]);
	const hours = (await app.db.select().from(feedbackCounts)).map(({ hourAt }) => (now - hourAt) / day);
	expect(hours.sort((a, b) => a - b)).toEqual([0, 399, 400]);
	await removeOldFeedback(app, { ...kept, events: 3 });
	expect(await events()).toEqual([2, 0, 3]);
	await removeOldFeedback(app, { ...kept, events: 3 });
	expect(await events()).toEqual([2, 0, 3]);
});
