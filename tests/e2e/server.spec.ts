import { connect } from 'node:net';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { startBuiltServer } from '../support/built-server.ts';
import type { BuiltServer } from '../support/built-server.ts';
import { createClient } from '../support/client.ts';

let server: BuiltServer;
test.beforeAll(async () => {
	server = await startBuiltServer();
});
test.afterAll(() => server.remove());

const promisedHeaders = {
	'x-content-type-options': 'nosniff',
	'x-frame-options': 'DENY',
	'x-xss-protection': '1; mode=block',
	'referrer-policy': 'strict-origin-when-cross-origin'
};

function expectHeaders(headers: Headers): void {
	for (const [name, value] of Object.entries(promisedHeaders)) expect(headers.get(name), name).toBe(value);
	expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
	expect(headers.get('content-security-policy')).not.toMatch(/unsafe-inline|unsafe-eval/);
	expect(headers.get('cross-origin-opener-policy')).toBe('same-origin');
	expect(headers.get('permissions-policy')).toContain('camera=()');
	expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
}

test('every kind of answer carries the security headers', async () => {
	const page = await fetch(`${server.url}/login`);
	const asset = /\/_app\/immutable\/[^"']+\.js/.exec(await page.text())?.[0] ?? 'no asset';
	const answers: [string, number, Promise<Response>][] = [
		['page', 200, Promise.resolve(page)],
		['asset', 200, fetch(`${server.url}${asset}`)],
		['icon', 200, fetch(`${server.url}/favicon.svg`)],
		['API', 200, fetch(`${server.url}/trpc/auth.status`)],
		['API without a session', 401, fetch(`${server.url}/trpc/auth.me`)],
		['unknown procedure', 404, fetch(`${server.url}/trpc/no.such`)],
		['unknown page', 404, fetch(`${server.url}/no/such/page`)],
		['health', 200, fetch(`${server.url}/healthz`)],
		['path that does not decode', 400, fetch(`${server.url}/%E0%A4%A`)],
		['HEAD on the API', 405, fetch(`${server.url}/trpc/auth.status`, { method: 'HEAD' })],
		[
			'body too large',
			413,
			fetch(`${server.url}/trpc/auth.login`, {
				method: 'POST',
				headers: { 'content-type': 'application/json' },
				body: 'x'.repeat(600 * 1024)
			})
		],
		[
			'body too large on a path that does not decode',
			400,
			fetch(`${server.url}/trpc/%E0%A4%A`, {
				method: 'POST',
				headers: { 'content-type': 'application/json' },
				body: 'x'.repeat(600 * 1024)
			})
		]
	];
	for (const [kind, status, answer] of answers) {
		const { headers, status: got } = await answer;
		if (kind.includes('decode')) expect(got, kind).toBeGreaterThanOrEqual(400);
		else expect(got, kind).toBe(status);
		expectHeaders(headers);
	}
	expect(await createClient(server.url).auth.status.query()).toEqual({ setupRequired: true });
});

/** What comes back for bytes on a connection of their own, until the server closes it. */
function answerTo(request: string): Promise<string> {
	return new Promise((resolve) => {
		const socket = connect(Number(new URL(server.url).port), '127.0.0.1', () => socket.write(request));
		let text = '';
		socket.on('data', (chunk) => (text += chunk.toString()));
		socket.on('close', () => resolve(text));
	});
}

for (const [what, status, request] of [
	['nonsense', 400, 'NONSENSE\r\n\r\n'],
	['a head that is too large', 431, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`],
	['no Host', 200, 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n'],
	[
		'an expectation nobody knows',
		417,
		'POST /trpc/auth.login HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}'
	]
] as const) {
	test(`Node’s own answer to ${what} carries them too`, async () => {
		const answer = await answerTo(request);
		expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
		for (const [name, value] of Object.entries(promisedHeaders))
			expect(answer.toLowerCase()).toContain(`${name}: ${value.toLowerCase()}`);
	});
}

test('a stranger’s nonsense writes no line into the log', async () => {
	const before = server.output();
	for (const request of [
		'POST / HTTP/1.1',
		'GET /%zz HTTP/1.1',
		'GET /trpc/%zz?batch=1 HTTP/1.1',
		'GET /nowhere HTTP/1.1'
	])
		expect(await answerTo(`${request}\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)).toMatch(
			/^HTTP\/1\.1 4/
		);
	expect(server.output().slice(before.length)).toBe('');
});

test('answers of the API are never stored and never show the inside', async () => {
	const answer = await fetch(`${server.url}/trpc/settings.update`, {
		method: 'POST',
		headers: { 'content-type': 'application/json' },
		body: '{"hostname":"a.example"}'
	});
	expect(answer.headers.get('cache-control')).toBe('no-store');
	const body = (await answer.json()) as { error: { message: string; data: Record<string, unknown> } };
	expect(body.error.data).toEqual({
		code: 'UNAUTHORIZED',
		httpStatus: 401,
		reason: 'not-signed-in',
		requestId: answer.headers.get('x-request-id')
	});
	expect(JSON.stringify(body)).not.toMatch(/stack|node_modules|\/src\//);
});

test('a batch counts each of its calls, and a large one is refused', async () => {
	const attempt = { email: 'ops@example.net', password: 'wrong password!' };
	const post = (calls: number, separator = ',') =>
		fetch(`${server.url}/trpc/${Array(calls).fill('auth.login').join(separator)}?batch=1`, {
			method: 'POST',
			headers: { 'content-type': 'application/json' },
			body: JSON.stringify(Object.fromEntries(Array.from({ length: calls }, (_, index) => [index, attempt])))
		});
	expect((await post(100)).status).toBe(400);
	expect((await post(100, '%2C')).status).toBe(400);
	const answers = (await (await post(20)).json()) as { error: { data: { reason: string; retryAfterMs?: number } } }[];
	const reasons = answers.map(({ error }) => error.data.reason);
	expect(reasons.filter((reason) => reason === 'wrong-password')).toHaveLength(5);
	expect(reasons.filter((reason) => reason === 'too-many-tries')).toHaveLength(15);
	expect(answers.at(-1)?.error.data.retryAfterMs).toBeGreaterThan(0);
});

test('files of the data directory are closed to others', () => {
	expect(statSync(server.dataDir).mode & 0o777).toBe(0o700);
	for (const file of ['panel.db', 'secret.key', 'applier.key', 'setup-code'])
		expect(statSync(join(server.dataDir, file)).mode & 0o777, file).toBe(0o600);
});

test('a forwarded address is believed only from a trusted proxy', async () => {
	const proxied = await startBuiltServer({ TRUSTED_PROXY: '127.0.0.1' });
	const login = (url: string, forwarded: string) =>
		fetch(`${url}/trpc/auth.login`, {
			method: 'POST',
			headers: { 'content-type': 'application/json', 'x-forwarded-for': forwarded },
			body: JSON.stringify({ email: 'a@example.net', password: 'x' })
		});
	for (let tries = 0; tries < 7; tries += 1) await login(proxied.url, `198.51.100.1, 203.0.113.${tries}`);
	expect((await login(proxied.url, '203.0.113.200')).status).toBe(401);
	for (let tries = 0; tries < 6; tries += 1) await login(proxied.url, `198.51.100.${tries}, 203.0.113.77`);
	expect((await login(proxied.url, '203.0.113.77')).status).toBe(429);
	expect(proxied.output()).not.toContain('TRUSTED_PROXY');
	for (let tries = 0; tries < 2; tries += 1) await login(server.url, '203.0.113.78');
	await expect.poll(() => server.output().split('proxy not trusted').length).toBe(2);
	await proxied.remove();
});

test('ends gracefully on SIGTERM and starts again with what it knew', async () => {
	const own = await startBuiltServer();
	const client = createClient(own.url);
	const { token } = await client.auth.register.mutate({
		email: 'ops@example.net',
		password: 'a long and quiet sentence',
		setupCode: own.setupCode()
	});
	expect(existsSync(join(own.dataDir, 'setup-code'))).toBe(false);
	expect(await own.stop()).toBe(0);
	await own.restart();
	expect(await createClient(own.url, token).auth.me.query()).toMatchObject({ email: 'ops@example.net' });
	expect(own.output()).not.toContain(token);
	await own.remove();
});

test('a wrong variable stops the start with a sentence that names it', async () => {
	await expect(startBuiltServer({ LOG_LEVEL: 'loud' })).rejects.toThrow(
		/The environment variable LOG_LEVEL is not usable: it must be debug, info, warn or error/
	);
});
