import { expect, test } from 'vitest';
import { loginPath, pathAfterLogin, readStored } from './session.svelte';

const stored = { token: 't', expiresAt: 2000, user: { id: 'u', email: 'ops@example.net' } };

test.each<[what: string, text: string | null]>([
	['nothing', null],
	['damaged text', '{'],
	['another shape', '{"token":1}'],
	['null', 'null'],
	['an expired session', JSON.stringify({ ...stored, expiresAt: 1000 })]
])('%s is no session', (_what, text) => expect(readStored(text, 1000)).toBeNull());

test('a whole, unexpired session is read', () => expect(readStored(JSON.stringify(stored), 1000)).toEqual(stored));

const at = (path: string) => new URL(path, 'https://panel.test');

test.each([
	['/login', '/'],
	['/login?then=%2Fdomains%3Fsearch%3Da', '/domains?search=a'],
	['/login?then=https%3A%2F%2Fevil.test%2F', '/'],
	['/login?then=%2F%2Fevil.test%2F', '/'],
	['/login?then=%2F%5Cevil.test', '/'],
	['/login?then=javascript%3Aalert(1)', '/'],
	['/login?then=%2Flogin%3Fthen%3D%2F', '/']
])('%s leads to %s and never out of the panel', (from, path) => expect(pathAfterLogin(at(from))).toBe(path));

test('the page asked for survives signing in', () => {
	expect(loginPath(at('/'))).toBe('/login');
	expect(pathAfterLogin(at(loginPath(at('/senders?search=a&sort=b'))))).toBe('/senders?search=a&sort=b');
});
