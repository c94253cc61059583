import { expect, it } from 'vitest';
import { estateId } from '../../../../../tests/support/estate.ts';
import { moveToWarm, request, routesApp, statuses } from '../../../../../tests/support/routes-app.ts';
import { playRoutes } from './run.ts';

it('neither the name of another route nor a part of its own overrides it; a refusal lists all that are broken', async () => {
	const at = await routesApp();
	for (const name of ['receipts', 'resets']) await at.must('routes.create', { name, request });
	await moveToWarm(at);
	for (const named of [['resets'], ['resets', 'receipt'], ['resets', 'RECEIPTS']]) {
		const { error } = await at.apply({ overridingRoutes: named });
		expect(error).toMatchObject({ code: 'PRECONDITION_FAILED', reason: 'routes-broken' });
		expect(error.message).toMatch(/^A golden route is broken: “receipts” leaves/);
		expect(error.data.problems).toMatchObject([{ route: 'receipts' }, { route: 'resets' }]);
	}
	expect((await at.apply({ overridingRoutes: ['resets', 'receipts', 'none of them'] })).data).toMatchObject({
		outcome: 'applied'
	});
});

it('500 routes run in one apply', async () => {
	const { app, must, apply } = await routesApp();
	const { id } = await must('routes.create', { name: 'r0', request });
	await app.database.client.batch(
		Array.from({ length: 499 }, (_, number) => ({
			sql: `INSERT INTO golden_routes (id, name, request, expectation, created_at, updated_at)
				SELECT ?, ?, request, expectation, 1, 1 FROM golden_routes WHERE id = ?`,
			args: [estateId('route', number), `r${number + 1}`, id]
		})),
		'write'
	);
	const { data } = await apply();
	expect(data.steps[4]).toMatchObject({ name: 'routes', status: 'ok', output: '500 golden routes are kept.' });
}, 60_000);

it('a policy that is slow with all of them holds the apply for a minute and one message', async () => {
	const row = { request, expectation: { verdict: 'accepted' }, createdAt: 1, updatedAt: 1, version: 1 };
	const rows = Array.from({ length: 500 }, (_, number) => ({ ...row, id: `${number}`, name: `r${number}` }));
	let [elapsed, asked] = [0, 0];
	const results = await playRoutes(
		rows,
		() => {
			asked += 1;
			elapsed += 9_000;
			return Promise.resolve({ engine: 'double', verdict: 'accepted', trail: [], recipients: [], unknowns: [] });
		},
		() => elapsed
	);
	expect(asked).toBe(7);
	expect(statuses({ items: results.slice(6, 8) })).toEqual(['r6 kept', 'r7 not-run']);
	expect(results[499]?.differences).toMatchObject([{ code: 'simulation-timeout' }]);
});
