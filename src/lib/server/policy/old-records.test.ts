import { expect, it } from 'vitest';
import { openTestApp } from '../../../../tests/support/app.ts';
import { removeOldRecords } from './retention.ts';
import { applies, revisions } from './tables.ts';

const day = 86_400_000;

it('records of applies and of revisions that never went live end after 400 days; those of removed ones too; numbers are never given twice', async () => {
	const app = await openTestApp();
	const at = (days: number) => app.clock() - days * day;
	const revision = { hash: 'h', directory: '', actor: 'a', actorName: 'a', changeCount: 0, bytes: 0 };
	const apply = { hash: 'h', actor: 'a', actorName: 'a', steps: [] };
	await app.db.insert(revisions).values([
		{ ...revision, number: 0, createdAt: at(900), appliedAt: null },
		{ ...revision, number: 1, createdAt: at(900), appliedAt: at(900) },
		{ ...revision, number: 2, createdAt: at(401), appliedAt: null },
		{ ...revision, number: 3, createdAt: at(399), appliedAt: null },
		{ ...revision, number: 4, createdAt: at(401), appliedAt: null },
		{ ...revision, number: 5, createdAt: at(900), appliedAt: at(900), removedAt: at(401), removedBecause: 'age' },
		{ ...revision, number: 6, createdAt: at(900), appliedAt: at(900), removedAt: at(399), removedBecause: 'age' },
		{ ...revision, number: 7, createdAt: at(401), appliedAt: null }
	]);
	await app.db.insert(applies).values([
		{ ...apply, id: 'old', startedAt: at(401), outcome: 'failed' },
		{ ...apply, id: 'running', startedAt: at(401), outcome: 'running' },
		{ ...apply, id: 'young', startedAt: at(399), outcome: 'applied' }
	]);
	await removeOldRecords(app);
	const numbers = await app.db.select({ number: revisions.number }).from(revisions).orderBy(revisions.number);
	expect(numbers.map(({ number }) => number)).toEqual([0, 1, 3, 6, 7]);
	const ids = await app.db.select({ id: applies.id }).from(applies).orderBy(applies.id);
	expect(ids.map(({ id }) => id)).toEqual(['running', 'young']);
});
