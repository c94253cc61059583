import { execFileSync, spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { request as plainRequest } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBuiltServer } from '../support/built-server.ts';
import type { BuiltServer } from '../support/built-server.ts';
import { createClient } from '../support/client.ts';

/** The site file that is installed, in a real nginx before the built server. Only names, ports and paths are exchanged. */
const work = mkdtempSync(join(tmpdir(), 'kumomta-ui-nginx-'));
const binary = findNginx();
const template = readFileSync(resolve(import.meta.dirname, '../../deploy/nginx/kumomta-ui.conf'), 'utf8');
const host = 'mta.example.net';
let panel: BuiltServer;
let nginx: ChildProcess;
let ports: { http: number; https: number };

/** Installed, or taken out of Debian's package without installing it: no service is started and no port taken. */
function findNginx(): string | undefined {
	const installed = ['/usr/sbin/nginx', '/usr/local/sbin/nginx'].find((path) => existsSync(path));
	if (installed !== undefined || !existsSync('/usr/bin/apt-get')) return installed;
	spawnSync('apt-get', ['download', 'nginx'], { cwd: work, stdio: 'ignore', timeout: 120_000 });
	const archive = readdirSync(work).find((name) => name.endsWith('.deb'));
	if (archive === undefined) return undefined;
	execFileSync('dpkg', ['-x', archive, 'package'], { cwd: work });
	const path = join(work, 'package/usr/sbin/nginx');
	return existsSync(path) && spawnSync(path, ['-v']).status === 0 ? path : undefined;
}

const freePort = () =>
	new Promise<number>((done) => {
		const server = createServer().listen(0, '127.0.0.1', () => {
			const address = server.address();
			server.close(() => done(typeof address === 'object' && address !== null ? address.port : 0));
		});
	});

function exchanged(from: string, to: string, text: string): string {
	expect(text, `the site file names ${from}`).toContain(from);
	return text.replaceAll(from, to);
}

async function startNginx(): Promise<void> {
	ports = { http: await freePort(), https: await freePort() };
	const [certificate, key] = [join(work, 'cert.pem'), join(work, 'key.pem')];
	const certificateWish = [
		'req',
		'-x509',
		'-newkey',
		'ec',
		'-pkeyopt',
		'ec_paramgen_curve:P-256',
		'-nodes',
		'-days',
		'2'
	];
	execFileSync('openssl', [...certificateWish, '-subj', `/CN=${host}`, '-keyout', key, '-out', certificate], {
		stdio: 'ignore'
	});
	let site = exchanged('server 127.0.0.1:9000;', `server ${new URL(panel.url).host};`, template);
	site = exchanged('listen 80;', `listen 127.0.0.1:${ports.http};`, exchanged('\tlisten [::]:80;\n', '', site));
	site = exchanged('\tlisten [::]:443 ssl http2;\n', '', site);
	site = exchanged('listen 443 ssl', `listen 127.0.0.1:${ports.https} ssl`, site);
	site = exchanged(`/etc/letsencrypt/live/${host}/fullchain.pem`, certificate, site);
	site = exchanged(`/etc/letsencrypt/live/${host}/privkey.pem`, key, site);
	for (const name of ['body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']) mkdirSync(join(work, name));
	const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
		.map((name) => `${name}_temp_path ${join(work, name.replace('client_', ''))};`)
		.join('\n');
	writeFileSync(
		join(work, 'nginx.conf'),
		`${process.getuid?.() === 0 ? 'user root; ' : ''}pid ${work}/nginx.pid; daemon off; error_log ${work}/error.log; events { worker_connections 4096; }
		http { access_log off; ${temporary}\n${site} }`
	);
	execFileSync(binary ?? '', ['-t', '-q', '-e', join(work, 'error.log'), '-c', join(work, 'nginx.conf')]);
	nginx = spawn(binary ?? '', ['-e', join(work, 'error.log'), '-c', join(work, 'nginx.conf')], { stdio: 'ignore' });
	for (let tries = 0; tries < 100; tries += 1) {
		if ((await get('/').catch(() => undefined)) !== undefined) return;
		await new Promise((done) => setTimeout(done, 50));
	}
	throw new Error(readFileSync(join(work, 'error.log'), 'utf8'));
}

interface Answer {
	status: number;
	headers: IncomingHttpHeaders;
	body: string;
}

interface Wish {
	method?: string;
	headers?: Record<string, string>;
	body?: string;
	isPlain?: boolean;
	tls?: { minVersion?: 'TLSv1.1'; maxVersion?: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'; ciphers?: string };
}

function get(
	path: string,
	{ method = 'GET', headers = {}, body, isPlain = false, tls = {} }: Wish = {}
): Promise<Answer> {
	const send = isPlain ? plainRequest : request;
	return new Promise((done, failed) => {
		const call = send(
			{
				host: '127.0.0.1',
				port: isPlain ? ports.http : ports.https,
				path,
				method,
				headers: { Host: host, ...headers },
				servername: host,
				rejectUnauthorized: false,
				...tls
			},
			(answer) => {
				const parts: Buffer[] = [];
				answer.on('data', (part: Buffer) => parts.push(part));
				answer.on('end', () =>
					done({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(parts).toString() })
				);
			}
		);
		call.on('error', failed);
		call.end(body);
	});
}

const login = (email: string, forwarded?: string) =>
	get('/trpc/auth.login', {
		method: 'POST',
		headers: { 'Content-Type': 'application/json', ...(forwarded !== undefined && { 'X-Forwarded-For': forwarded }) },
		body: JSON.stringify({ email, password: 'not the password at all' })
	});

describe.skipIf(binary === undefined)('nginx before the panel (skipped without nginx and without apt)', () => {
	beforeAll(async () => {
		panel = await startBuiltServer({ ORIGIN: `https://${host}:0`, TRUSTED_PROXY: '127.0.0.1' });
		await startNginx();
	}, 60_000);

	afterAll(async () => {
		nginx?.kill('SIGTERM');
		await panel?.remove();
		rmSync(work, { recursive: true, force: true });
	});

	it('sends HTTP to HTTPS, to its own name whatever Host says', async () => {
		const { status, headers } = await get('/policy?x=1', { isPlain: true, headers: { Host: 'evil.example' } });
		expect([status, headers.location]).toEqual([301, `https://${host}/policy?x=1`]);
	});

	it('speaks TLS 1.2 and 1.3 only', async () => {
		expect((await get('/', { tls: { maxVersion: 'TLSv1.2' } })).status).toBeLessThan(400);
		expect((await get('/')).status).toBeLessThan(400);
		const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' } as const;
		await expect(get('/', { tls: old })).rejects.toThrow();
	});

	it.each(['/', '/trpc/auth.status', '/no/such/page', '/_app/immutable/no-such-file.js'])(
		'%s has every header, once',
		async (path) => {
			const { headers } = await get(path);
			expect(headers).toMatchObject({
				'strict-transport-security': 'max-age=31536000; includeSubDomains',
				'x-content-type-options': 'nosniff',
				'x-frame-options': 'DENY',
				'referrer-policy': 'strict-origin-when-cross-origin'
			});
			expect(headers.server).toBe('nginx');
		}
	);

	it('lets immutable assets be kept, compresses them, and keeps answers of the API out of caches', async () => {
		const { body } = await get('/');
		const asset = /_app\/immutable\/[^"]+\.js/.exec(body)?.[0] ?? '';
		const answer = await get(`/${asset}`, { headers: { 'Accept-Encoding': 'gzip' } });
		expect(answer.status).toBe(200);
		expect(answer.headers['cache-control']).toContain('immutable');
		expect((await get('/trpc/auth.status')).headers).toMatchObject({ 'cache-control': 'no-store' });
		const all = await Promise.all(
			[...body.matchAll(/_app\/immutable\/[^"]+\.js/g)].map(([path]) =>
				get(`/${path}`, { headers: { 'Accept-Encoding': 'gzip' } })
			)
		);
		expect(all.some(({ headers }) => headers['content-encoding'] === 'gzip')).toBe(true);
	});

	it('hands the panel the address that nginx saw, never the one a client claims', async () => {
		for (let tries = 0; tries < 5; tries += 1)
			expect((await login('ops@example.net', `203.0.113.${tries}`)).status).toBe(401);
		// Five addresses would be five clients: the limit proves that they were one.
		expect((await login('ops@example.net', '203.0.113.99')).status).toBe(429);
		const { auth } = createClient(panel.url);
		const { token } = await auth.register.mutate({
			email: 'ops@example.net',
			password: 'not-on-any-list-4711',
			setupCode: panel.setupCode()
		});
		const { items } = await createClient(panel.url, token).audit.list.query({ action: 'auth.login' });
		expect([...new Set(items.map(({ address }) => address))]).toEqual(['127.0.0.1']);
	});

	it('refuses a body that is too large', async () => {
		const big = (bytes: number) =>
			get('/trpc/auth.login', {
				method: 'POST',
				body: 'x'.repeat(bytes),
				headers: { 'Content-Type': 'application/json' }
			});
		expect((await big(600 * 1024)).status).toBe(413);
		expect(await big(600 * 1024)).toMatchObject({ body: expect.stringContaining('512 KB') });
		expect((await big(1100 * 1024)).status).toBe(413);
	});

	it('answers 1,000 requests', async () => {
		const statuses: number[] = [];
		const [assets, started] = ['/_app/version.json', performance.now()];
		for (let round = 0; round < 100; round += 1) {
			const answers = await Promise.all(Array.from({ length: 10 }, () => get(assets)));
			statuses.push(...answers.map(({ status }) => status));
			// As fast as the site file lets one address be: 50 a second and a burst.
			if (round >= 20) await new Promise((done) => setTimeout(done, 210));
		}
		expect(statuses.filter((status) => status === 200)).toHaveLength(1000);
		process.stderr.write(`1,000 requests in ${Math.round(performance.now() - started)} ms\n`);
	});

	it('turns a flood away with 429', async () => {
		const answers = await Promise.all(Array.from({ length: 400 }, () => get('/_app/version.json')));
		expect(new Set(answers.map(({ status }) => status)).has(429)).toBe(true);
	});

	it('answers 502 with its headers when the panel is down', async () => {
		await panel.stop();
		await new Promise((done) => setTimeout(done, 3000));
		const { status, headers } = await get('/');
		expect([status, headers['strict-transport-security']]).toEqual([502, 'max-age=31536000; includeSubDomains']);
	});
});
