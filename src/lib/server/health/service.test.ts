import { describe, expect, it } from 'vitest';
import { openTestApp, testClock } from '../../../../tests/support/app.ts';
import { UserError } from '../core/errors.ts';
import { createFiles } from '../host/files.ts';
import { askBlocklists } from './blocklists.ts';
import { ok } from './check.ts';
import type { Check } from './check.ts';
import { checks } from './checks.ts';
import { runCheck } from './run-checks.ts';
import { listHealth, runHealth } from './service.ts';

const check = (look: Check['look']): Check => ({ id: 'one', group: 'panel', title: 'One', why: 'Why.', look });

describe('a check never throws and never hangs', () => {
	it.each<[string, Check['look'], object]>([
		['answers', () => Promise.resolve(ok('Good.')), { outcome: 'ok' }],
		['throws', () => Promise.reject(new Error('canary-of-an-error')), { outcome: 'unknown' }],
		[
			'throws at once',
			() => {
				throw new Error('canary-of-an-error');
			},
			{ outcome: 'unknown' }
		],
		['hangs', () => new Promise(() => {}), { outcome: 'unknown', found: 'This check did not end within 0.05 s.' }],
		[
			'may not look',
			() => Promise.reject(new UserError('PRECONDITION_FAILED', 'no', { reason: 'no-permission' })),
			{ outcome: 'unknown', isClosed: true }
		]
	])('%s', async (_, look, expected) => {
		const finding = await runCheck(await openTestApp(), check(look), 50);
		expect(finding).toMatchObject(expected);
		expect(JSON.stringify(finding)).not.toContain('canary');
	});
});

it('every check has an id of its own, and says why it matters', () => {
	expect(new Set(checks.map(({ id }) => id)).size).toBe(checks.length);
	for (const { id, why } of checks) {
		expect(id).toMatch(/^[a-z][a-z-]{1,30}$/);
		expect(why).toMatch(/.{20,}\.$/);
	}
});

it('a machine without any program and file is looked at whole, without an error', async () => {
	const nothing = Object.assign(new Error('spawn ENOENT'), { code: 'ENOENT' });
	const app = await openTestApp({
		host: {
			run: () => Promise.reject(nothing),
			files: createFiles(() => {}),
			disk: () => Promise.resolve(undefined),
			uid: () => 1000,
			findUser: () => undefined,
			network: { connects: () => Promise.resolve('silent'), certificate: () => Promise.resolve(undefined) }
		},
		kumod: {
			checkLiveness: () => Promise.resolve({ state: 'unreachable', detail: 'nobody' }),
			tryRelay: () => Promise.resolve({ result: 'failed', detail: 'nobody' })
		}
	});
	const { items } = await runHealth(app);
	expect(app.logLines).toEqual([]);
	expect(items.filter(({ isAsked, outcome }) => !isAsked && outcome === null)).toEqual([]);
	expect(items.find(({ id }) => id === 'blocklists')?.outcome).toBeNull();
});

describe('what is kept', () => {
	const open = async (uid: number) => {
		const clock = testClock();
		let user = uid;
		let mayLook = true;
		const files = createFiles(() => {});
		const list = (path: string) =>
			mayLook
				? files.list(path)
				: Promise.reject(new UserError('PRECONDITION_FAILED', 'no', { reason: 'no-permission' }));
		const host = { files: { ...files, list }, uid: () => user, findUser: () => undefined };
		const app = await openTestApp({ clock: clock.now, host });
		const find = async () => (await listHealth(app.db)).items.find(({ id }) => id === 'dkim-files');
		return { app, clock, find, become: (next: number, may: boolean) => ([user, mayLook] = [next, may]) };
	};

	it('what root saw outlives a run that may not look, for a week', async () => {
		const { app, clock, find, become } = await open(0);
		await runHealth(app, ['dkim-files']);
		expect(await find()).toMatchObject({ outcome: 'ok', rights: 'root' });
		become(1000, false);
		clock.advance(6 * 86_400_000);
		await runHealth(app, ['dkim-files']);
		expect(await find()).toMatchObject({ outcome: 'ok', rights: 'root' });
		clock.advance(2 * 86_400_000);
		await runHealth(app, ['dkim-files']);
		expect(await find()).toMatchObject({ outcome: 'unknown', rights: 'panel' });
	});

	it('since when it is so moves only with the outcome', async () => {
		const { app, clock, find, become } = await open(1000);
		const start = clock.now();
		await runHealth(app, ['dkim-files']);
		clock.advance(1000);
		await runHealth(app, ['dkim-files']);
		expect(await find()).toMatchObject({ sinceAt: start, checkedAt: start + 1000 });
		become(1000, false);
		clock.advance(1000);
		await runHealth(app, ['dkim-files']);
		expect(await find()).toMatchObject({ outcome: 'unknown', sinceAt: start + 2000 });
	});
});

it('a list that fails its own test entries is asked nothing else', async () => {
	const names: string[] = [];
	const none = { state: 'none', reason: 'no-name' } as const;
	const lookup = {
		a: (name: string) => (names.push(name), Promise.resolve(none)),
		aaaa: () => Promise.resolve(none),
		txt: () => Promise.resolve(none),
		mx: () => Promise.resolve(none),
		ptr: () => Promise.resolve(none)
	};
	const zone = { zone: 'bl.example', name: 'Example', page: '', hasV6: false };
	const [asked] = await askBlocklists([zone], ['192.0.2.1'], lookup);
	expect(asked?.unusable).toMatch(/does not answer its own test entry/);
	expect(names).toEqual(['2.0.0.127.bl.example', '1.0.0.127.bl.example']);
	const listing = {
		...lookup,
		a: (name: string) => (
			names.push(name),
			Promise.resolve(name.startsWith('1.0.0.127') ? none : { state: 'found' as const, values: ['127.0.0.2'] })
		)
	};
	const [listed] = await askBlocklists([zone], ['192.0.2.1', '2001:db8::1'], listing);
	expect(listed?.answers).toEqual([{ address: '192.0.2.1', listing: { state: 'listed', codes: ['127.0.0.2'] } }]);
	expect(names.at(-1)).toBe('1.2.0.192.bl.example');
});
