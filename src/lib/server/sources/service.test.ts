import { beforeEach, describe, expect, it } from 'vitest';
import { caller, openTestApp } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { refusalOf } from '../../../../tests/support/refusal.ts';
import { addressesOf } from './address-range.ts';
import { addressScope } from './address-scope.ts';
import { kumoSourceName } from './service.ts';
import { sources } from './tables.ts';

let app: TestApp;
let api: ReturnType<typeof caller>;
const loopback = { interface: 'lo', address: '127.0.0.1', family: 4 as const, isLoopback: true };
const public4 = { interface: 'eth0', address: '192.0.2.10', family: 4 as const, isLoopback: false };
const private4 = { interface: 'eth1', address: '10.1.2.3', family: 4 as const, isLoopback: false };

beforeEach(async () => {
	app = await openTestApp({ host: { interfaces: () => [loopback, public4, private4] } });
	api = caller(app);
});

async function create(address: string, more: { name?: string; ehloDomain?: string } = {}) {
	const answer = await api.sources.create({ address, ehloDomain: 'out.example.net', ...more });
	if ('items' in answer) throw new Error('A range came back.');
	return answer;
}

describe('what never becomes a source', () => {
	it.each([
		['no address', { address: 'no', ehloDomain: 'out.example.net' }, ['address']],
		['loopback', { address: '127.0.0.1', ehloDomain: 'out.example.net' }, ['address']],
		['unspecified', { address: '0.0.0.0', ehloDomain: 'out.example.net' }, ['address']],
		['unspecified IPv6', { address: '::', ehloDomain: 'out.example.net' }, ['address']],
		['multicast', { address: '224.0.0.5', ehloDomain: 'out.example.net' }, ['address']],
		['an IPv4-mapped address', { address: '::ffff:192.0.2.1', ehloDomain: 'out.example.net' }, ['address']],
		['an address with a zone', { address: 'fe80::1%eth0', ehloDomain: 'out.example.net' }, ['address']],
		['an EHLO name with a line break', { address: '192.0.2.1', ehloDomain: 'out.example.net\nQUIT' }, ['ehloDomain']],
		['an EHLO name with an underscore', { address: '192.0.2.1', ehloDomain: 'out_1.example.net' }, ['ehloDomain']],
		['an EHLO name that is an address', { address: '192.0.2.1', ehloDomain: '192.0.2.1' }, ['ehloDomain']],
		['a name with NUL', { address: '192.0.2.1', ehloDomain: 'a.example', name: 'a\0b' }, ['name']],
		['a name turned around', { address: '192.0.2.1', ehloDomain: 'a.example', name: 'a\u202eb' }, ['name']],
		['an over-long name', { address: '192.0.2.1', ehloDomain: 'a.example', name: 'x'.repeat(65) }, ['name']],
		['an empty name', { address: '192.0.2.1', ehloDomain: 'a.example', name: ' ' }, ['name']],
		['nothing', {}, ['address', 'ehloDomain']],
		['half a range', { cidr: '192.0.2.0/30' }, ['ehloPattern']],
		[
			'a range and an address',
			{ cidr: '192.0.2.0/30', ehloPattern: 'o{n}.example.net', address: '192.0.2.1' },
			['address']
		],
		['a host part', { cidr: '192.0.2.1/24', ehloPattern: 'o{n}.example.net' }, ['cidr']],
		['257 addresses', { cidr: '192.0.2.0/23', ehloPattern: 'o{n}.example.net' }, ['cidr']],
		['a huge network', { cidr: '2001:db8::/32', ehloPattern: 'o{n}.example.net' }, ['cidr']],
		['a loopback range', { cidr: '127.0.0.0/30', ehloPattern: 'o{n}.example.net' }, ['cidr']],
		['a pattern without a place', { cidr: '192.0.2.0/30', ehloPattern: 'out.example.net' }, ['ehloPattern']],
		['a pattern with two', { cidr: '192.0.2.0/30', ehloPattern: 'o{n}.{n}.example' }, ['ehloPattern']],
		['a pattern with a slash', { cidr: '192.0.2.0/30', ehloPattern: '../o{n}.example' }, ['ehloPattern']]
	])('%s', async (_, input, fields) => {
		const refusal = await refusalOf(api.sources.create(input));
		expect(Object.keys(refusal.fieldErrors).sort()).toEqual(fields);
		expect(await app.db.$count(sources)).toBe(0);
	});

	it('the second of two equal addresses, however it is spelled, also in parallel', async () => {
		const both = await Promise.allSettled([create('2001:db8::1'), create('2001:DB8:0::1', { name: 'other' })]);
		expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
		const refusal = await refusalOf(create('2001:0db8::1', { name: 'third' }));
		expect(refusal).toMatchObject({ code: 'CONFLICT', reason: 'address-taken' });
		expect(Object.keys(refusal.fieldErrors)).toEqual(['address']);
	});

	it('a second one of the same name', async () => {
		await create('192.0.2.1', { name: 'first' });
		expect(await refusalOf(create('192.0.2.2', { name: 'first' }))).toMatchObject({
			reason: 'name-taken',
			fieldErrors: { name: [expect.any(String)] }
		});
	});
});

describe('a range', () => {
	it('is stored whole, in order, with its names', async () => {
		const answer = await api.sources.create({ cidr: '192.0.2.8/30', ehloPattern: 'Out{n}.bücher.example' });
		if (!('items' in answer)) throw new Error('One source came back.');
		expect(answer.items.map(({ address, ehloDomain, isOnHost }) => [address, ehloDomain, isOnHost])).toEqual([
			['192.0.2.8', 'out1.xn--bcher-kva.example', false],
			['192.0.2.9', 'out2.xn--bcher-kva.example', false],
			['192.0.2.10', 'out3.xn--bcher-kva.example', true],
			['192.0.2.11', 'out4.xn--bcher-kva.example', false]
		]);
	});

	it('holds 256 addresses', async () => {
		await api.sources.create({ cidr: '198.51.100.0/24', ehloPattern: 'out{n}.example.net' });
		expect((await api.sources.list({ limit: 1 })).total).toBe(256);
	});

	it('is stored not at all when one of its addresses is used', async () => {
		await create('192.0.2.9');
		const refusal = await refusalOf(api.sources.create({ cidr: '192.0.2.8/30', ehloPattern: 'out{n}.example.net' }));
		expect(refusal.fieldErrors.cidr?.[0]).toContain('192.0.2.9');
		expect(await app.db.$count(sources)).toBe(1);
	});

	it.each([
		['192.0.2.7/32', ['192.0.2.7']],
		['192.0.2.254/31', ['192.0.2.254', '192.0.2.255']],
		['2001:db8::ffff:fffe/127', ['2001:db8::ffff:fffe', '2001:db8::ffff:ffff']],
		['2001:db8::/120', 256],
		['192.0.2.0/33', undefined],
		['2001:db8::/129', undefined],
		['192.0.2.0', undefined],
		['192.0.2.0/-1', undefined],
		['0.0.0.0/0', 'too-large'],
		['::/0', 'too-large']
	])('%s', (cidr, expected) => {
		const found = addressesOf(cidr);
		expect(typeof expected === 'number' ? found?.length : found).toEqual(expected);
	});
});

describe('an edit', () => {
	it('is a new source for KumoMTA when address or EHLO name change, and only then', async () => {
		const before = await create('192.0.2.1', { name: 'Büro 1' });
		expect(before.kumoName).toMatch(/^b-ro-1-[0-9a-f]{6}$/);
		const moved = await api.sources.update({ id: before.id, version: 1, ehloDomain: 'b.example.net' });
		expect(moved.kumoName).not.toBe(before.kumoName);
		const natted = await api.sources.update({ id: before.id, version: 2, publicAddress: '203.0.113.1' });
		expect(natted).toMatchObject({ kumoName: moved.kumoName, publicAddress: '203.0.113.1', version: 3 });
		expect(await api.sources.update({ id: before.id, publicAddress: null })).toMatchObject({
			publicAddress: null,
			name: 'Büro 1'
		});
	});

	it('is refused when somebody else was first', async () => {
		const { id } = await create('192.0.2.1');
		await api.sources.update({ id, version: 1, ehloDomain: 'b.example.net' });
		expect(await refusalOf(api.sources.update({ id, version: 1, ehloDomain: 'c.example.net' }))).toMatchObject({
			code: 'CONFLICT',
			reason: 'version-moved'
		});
		expect(await refusalOf(api.sources.remove({ id, version: 1 }))).toMatchObject({ reason: 'version-moved' });
	});

	it('keeps its own address and name without a conflict', async () => {
		const { id, name } = await create('192.0.2.1');
		expect(await api.sources.update({ id, address: '192.0.2.1', name })).toMatchObject({ address: '192.0.2.1' });
	});
});

describe('kumoSourceName', () => {
	it.each(['', '...', '-->', '\u202e', 'A'.repeat(64), 'x\ny', '日本'])('fits the alphabet for %j', (name) => {
		expect(kumoSourceName({ name, address: '192.0.2.1', ehloDomain: 'a.example' })).toMatch(
			/^[a-z0-9][a-z0-9-]{0,70}$/
		);
	});
});

describe('removing', () => {
	it('is refused while pools use the source, and names them', async () => {
		const { id } = await create('192.0.2.1');
		await api.pools.create({ name: 'warm', sources: [{ sourceId: id, weight: 1 }] });
		await api.pools.create({ name: 'bulk', sources: [{ sourceId: id, weight: 1 }] });
		const refusal = await refusalOf(api.sources.remove({ id }));
		expect(refusal).toMatchObject({ code: 'PRECONDITION_FAILED', reason: 'source-in-use' });
		expect(refusal.message).toContain('bulk, warm');
		expect((await api.sources.list()).items[0]?.pools.map(({ name }) => name)).toEqual(['bulk', 'warm']);
	});

	it('answers the id, and NOT_FOUND after', async () => {
		const { id } = await create('192.0.2.1');
		expect(await api.sources.remove({ id })).toEqual({ id });
		expect(await refusalOf(api.sources.remove({ id }))).toMatchObject({ code: 'NOT_FOUND', reason: 'no-such-source' });
	});
});

describe('the list', () => {
	it('pages exactly, both ways, by every sort', async () => {
		await api.sources.create({ cidr: '192.0.2.0/29', ehloPattern: 'out{n}.example.net' });
		for (const by of ['name', 'address', 'createdAt'] as const) {
			for (const dir of ['asc', 'desc'] as const) {
				const seen: string[] = [];
				let cursor: string | undefined;
				do {
					const page = await api.sources.list({ sort: { by, dir }, limit: 4, cursor });
					seen.push(...page.items.map(({ id }) => id));
					cursor = page.nextCursor ?? undefined;
				} while (cursor !== undefined);
				expect(new Set(seen).size).toBe(8);
				expect(seen).toHaveLength(8);
			}
		}
	});

	it('ends at the boundary, and a cursor belongs to its search', async () => {
		await api.sources.create({ cidr: '192.0.2.0/30', ehloPattern: 'out{n}.example.net' });
		expect((await api.sources.list({ limit: 4 })).nextCursor).toBeNull();
		const { nextCursor } = await api.sources.list({ limit: 3 });
		const refusal = refusalOf(api.sources.list({ limit: 3, search: 'out', cursor: nextCursor ?? '' }));
		expect(await refusal).toMatchObject({ reason: 'cursor-mismatch' });
	});

	it('finds by address and name; wildcards are letters', async () => {
		await create('192.0.2.1', { name: '100% warm' });
		await create('192.0.2.2', { name: 'cold' });
		expect((await api.sources.list({ search: '0% w' })).total).toBe(1);
		expect((await api.sources.list({ search: '_%_' })).total).toBe(0);
		expect((await api.sources.list({ search: '2.0.2.2' })).items[0]?.name).toBe('cold');
	});
});

describe('detect', () => {
	it('shows this machine, with scope and what is used', async () => {
		const { id } = await create('192.0.2.10');
		expect((await api.sources.detect()).items).toEqual([
			{ address: '127.0.0.1', interface: 'lo', family: 4, scope: 'loopback', sourceId: null },
			{ address: '192.0.2.10', interface: 'eth0', family: 4, scope: 'public', sourceId: id },
			{ address: '10.1.2.3', interface: 'eth1', family: 4, scope: 'private', sourceId: null }
		]);
	});

	it.each([
		['100.64.0.1', 'private'],
		['172.32.0.1', 'public'],
		['172.31.255.255', 'private'],
		['fd00::1', 'private'],
		['2a00::1', 'public'],
		['::1', 'loopback']
	])('%s is %s', (address, scope) => expect(addressScope(address)).toBe(scope));
});
