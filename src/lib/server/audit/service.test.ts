import { describe, expect, it } from 'vitest';
import { openTestApp, testClock } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { listAudit, removeOldEntries } from './service.ts';
import { auditEntries } from './tables.ts';

const day = 24 * 60 * 60_000;

/** Many rows, every hundredth refused; written by SQL since a call for each would take minutes. */
async function openWith(count: number, clock = testClock()): Promise<TestApp> {
	const app = await openTestApp({ clock: clock.now });
	await app.database.client.execute({
		sql: `INSERT INTO audit_entries(at, actor, actor_name, action, target, address, request_id, outcome)
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			SELECT ? - 1000 + i / 1000, 'u', 'ops@example.net', 'senders.create', 'target-' || i, '192.0.2.1', 'r',
				CASE WHEN i % 100 = 0 THEN 'CONFLICT' ELSE 'ok' END FROM n`,
		args: [count, clock.now()]
	});
	return app;
}

describe('a long audit log', () => {
	it('is paged through filters and searches exactly once, across its windows', async () => {
		const app = await openWith(45_000);
		const seen: string[] = [];
		let cursor: string | undefined;
		do {
			const page = await listAudit(app, { limit: 200, outcome: 'CONFLICT', cursor });
			expect(page.total).toBe(450);
			seen.push(...page.items.map(({ target }) => target ?? ''));
			cursor = page.nextCursor ?? undefined;
		} while (cursor !== undefined);
		expect(seen).toEqual(Array.from({ length: 450 }, (_, index) => `target-${45_000 - index * 100}`));
		const oldest = await listAudit(app, { limit: 2, search: 'TARGET-44', sort: { by: 'at', dir: 'asc' } });
		expect(oldest.items.map(({ target }) => target)).toEqual(['target-44', 'target-440']);
		expect(oldest.total).toBe(1 + 10 + 100 + 1000);
	});

	it('lets others work while it is searched', async () => {
		const app = await openWith(100_000);
		let turns = 0;
		const timer = setInterval(() => (turns += 1), 1);
		await listAudit(app, { limit: 50, search: 'nowhere to be found' });
		clearInterval(timer);
		expect(turns).toBeGreaterThanOrEqual(4);
	});

	it('keeps 400 days and the newest 200,000 rows', async () => {
		const clock = testClock();
		const app = await openWith(200_050, clock);
		await removeOldEntries(app);
		expect(await app.db.$count(auditEntries)).toBe(200_000);
		clock.advance(399 * day);
		await removeOldEntries(app);
		expect(await app.db.$count(auditEntries)).toBe(200_000);
		clock.advance(2 * day);
		await removeOldEntries(app);
		expect(await app.db.$count(auditEntries)).toBe(0);
	});
});
