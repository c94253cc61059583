import { describe, expect, it } from 'vitest';
import { estateId } from '../../../../../tests/support/estate.ts';
import { moveToWarm, request, routesApp, statuses } from '../../../../../tests/support/routes-app.ts';
import { UserError } from '../../core/errors.ts';
import { playRoutes } from './run.ts';

describe('the saved routes', () => {
	it('are taken from the pending policy, listed by name and checked against it', async () => {
		const at = await routesApp();
		const { must } = at;
		const created = await must('routes.create', { name: 'news', request });
		expect(created).toMatchObject({
			name: 'news',
			request,
			version: 1,
			expectation: { verdict: 'accepted', replyCode: 250, pool: 'main', sources: ['Out 1'] }
		});
		expect(created.expectation.signatures).toEqual([{ domain: 'd00000.example', selector: 'k1' }]);
		const stranger = { ...request, arrival: { via: 'http', clientAddress: '203.0.113.5' } };
		await must('routes.create', { name: 'a stranger', request: stranger, expectation: { verdict: 'refused' } });
		expect((await must('routes.list')).items.map(({ name }: { name: string }) => name)).toEqual(['a stranger', 'news']);
		expect(statuses(await must('routes.check'))).toEqual(['a stranger kept', 'news kept']);
		await moveToWarm(at);
		const { items } = await must('routes.check');
		expect(statuses({ items })).toEqual(['a stranger kept', 'news broken']);
		expect(items[1].differences[0]).toEqual({ code: 'pool', text: 'leaves by pool warm instead of main' });
	});

	it('are checked on any revision, and on none that is not there', async () => {
		const at = await routesApp();
		const { must, call, apply } = at;
		await must('routes.create', { name: 'news', request });
		await apply();
		await moveToWarm(at);
		await apply({ overridingRoutes: ['news'] });
		const checked = async (input: object) => statuses(await must('routes.check', input));
		expect(await checked({ revision: 1 })).toEqual(['news kept']);
		expect(await checked({ revision: 2 })).toEqual(['news broken']);
		expect(await checked({})).toEqual(['news broken']);
		expect((await call('routes.check', { revision: 3 })).error.reason).toBe('no-such-revision');
		expect((await call('routes.check', { revision: 0 })).error.code).toBe('BAD_REQUEST');
	});

	it('keep what an update leaves out, and refuse a version that moved', async () => {
		const { must, call } = await routesApp();
		const expectation = { verdict: 'accepted', pool: 'main' };
		const { id } = await must('routes.create', { name: 'news', request, expectation });
		const renamed = await must('routes.update', { id, version: 1, name: 'letters' });
		expect(renamed).toMatchObject({ name: 'letters', request, expectation, version: 2 });
		const changed = await must('routes.update', { id, expectation: { verdict: 'refused' } });
		expect(changed).toMatchObject({ name: 'letters', request, expectation: { verdict: 'refused' }, version: 3 });
		for (const path of ['routes.update', 'routes.remove'])
			expect((await call(path, { id, version: 1 })).error.reason).toBe('version-moved');
		expect(await must('routes.remove', { id, version: 3 })).toEqual({ id });
		expect((await call('routes.remove', { id })).error.reason).toBe('no-such-route');
	});

	it('have names of their own', async () => {
		const { must, call } = await routesApp();
		const expectation = { verdict: 'accepted' };
		const { id } = await must('routes.create', { name: 'news', request, expectation });
		await must('routes.create', { name: 'shop', request, expectation });
		for (const [path, input] of [
			['routes.create', { name: 'shop', request, expectation }],
			['routes.update', { id, name: 'shop' }]
		] as const) {
			const { error } = await call(path, input);
			expect(error).toMatchObject({ code: 'CONFLICT', reason: 'name-taken' });
			expect(Object.keys(error.fieldErrors)).toEqual(['name']);
		}
	});

	it('name the field of a message that no policy can take', async () => {
		const { call } = await routesApp();
		const arrival = { via: 'smtp', listener: '198.51.100.1:25', clientAddress: '203.0.113.5' };
		const { error } = await call('routes.create', { name: 'news', request: { ...request, arrival } });
		expect(error.reason).toBe('no-such-listener');
		expect(Object.keys(error.fieldErrors)).toEqual(['request.arrival.listener']);
	});

	it('are at most 500', async () => {
		const { app, must, call, run } = await routesApp();
		const expectation = { verdict: 'accepted' };
		const columns = 'id, name, request, expectation, created_at, updated_at';
		await app.database.client.batch(
			Array.from({ length: 499 }, (_, number) => ({
				sql: `INSERT INTO golden_routes (${columns}) VALUES (?, ?, ?, ?, 1, 1)`,
				args: [estateId('route', number), `r${number}`, JSON.stringify(request), JSON.stringify(expectation)]
			})),
			'write'
		);
		await must('routes.create', { name: 'the last', request, expectation });
		const { error } = await call('routes.create', { name: 'one more', request, expectation });
		expect(error).toMatchObject({ code: 'PRECONDITION_FAILED', reason: 'too-many-routes' });
		expect((await run('SELECT count(*) AS total FROM golden_routes')).rows[0]?.total).toBe(500);
	});

	it('that are not readable any more are not run', async () => {
		const { must, run } = await routesApp();
		await must('routes.create', { name: 'news', request });
		await run('UPDATE golden_routes SET expectation = ?', ['{"verdict":"perhaps"}']);
		const { items } = await must('routes.check');
		expect(items).toMatchObject([{ status: 'not-run', differences: [{ code: 'unreadable' }] }]);
	});
});

it('a policy that hangs is asked once, not once for each route', async () => {
	const row = { request, expectation: { verdict: 'accepted' }, createdAt: 1, updatedAt: 1, version: 1 };
	let asked = 0;
	const results = await playRoutes(
		['a', 'b', 'c'].map((name) => ({ ...row, id: name, name })),
		() => {
			asked += 1;
			return Promise.reject(new UserError('TIMEOUT', 'It hangs.', { reason: 'simulation-timeout' }));
		}
	);
	expect(asked).toBe(1);
	expect(statuses({ items: results })).toEqual(['a not-run', 'b not-run', 'c not-run']);
});
