import { expect, test } from 'vitest';
import { listAddress, listQuery } from './list';

const url = (query: string) => new URL(`http://panel.test/domains${query}`);

test.each([
	['', {}],
	['?search=%20news%20', { search: 'news' }],
	['?search=', {}],
	['?sort=name&dir=desc', { sort: { by: 'name', dir: 'desc' } }],
	['?sort=name&dir=sideways', { sort: { by: 'name', dir: 'asc' } }],
	['?sort=password', {}],
	['?cursor=c1&unknown=1', { cursor: 'c1' }],
	[`?search=${'x'.repeat(200)}`, { search: 'x'.repeat(100) }]
])('%s asks for %o', (query, asked) => expect(listQuery(url(query), ['name', 'createdAt'])).toEqual(asked));

test.each([
	['?search=a&cursor=c1', { search: 'b' }, '/domains?search=b'],
	['?search=a&cursor=c1', { cursor: 'c2' }, '/domains?search=a&cursor=c2'],
	['?search=a&cursor=c1', { cursor: null }, '/domains?search=a'],
	['?search=a', { search: '' }, '/domains']
])('%s with %o is %s', (query, changes, address) => expect(listAddress(url(query), changes)).toBe(address));
