import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { openTestApp, temporaryDirectory } from '../../../tests/support/app.ts';
import type { TestApp } from '../../../tests/support/app.ts';
import { callOverHttp } from '../../../tests/support/contract.ts';
import { startLibsqlDouble } from '../../../tests/support/libsql-double.ts';
import type { LibsqlDouble } from '../../../tests/support/libsql-double.ts';
import { absentKumod, testHost } from '../../../tests/support/policy-app.ts';
import { insertSenders } from '../../../tests/support/rows.ts';
import { newPem, worldEmail, worldPassword } from '../../../tests/support/world.ts';
import { GET as healthz } from '../../routes/healthz/+server.ts';
import { prepareSetupCode } from './auth/setup-code.ts';
import { closeCompiler } from './policy/compile.ts';

const servers: LibsqlDouble[] = [];
const apps: TestApp[] = [];

afterAll(async () => {
	for (const app of apps) await closeCompiler(app);
	for (const server of servers) await server.stop();
});

interface Panel {
	app: TestApp;
	server: LibsqlDouble;
	/** With a session's token, as a program calls. */
	call: (path: string, input?: unknown) => ReturnType<typeof callOverHttp>;
	must: (path: string, input?: unknown) => Promise<any>;
}

async function openPanel(): Promise<Panel> {
	const server = await startLibsqlDouble({ directory: temporaryDirectory() });
	servers.push(server);
	const env = { DATABASE_URL: server.url, DATABASE_AUTH_TOKEN: server.token };
	const app = await openTestApp({ env, host: testHost(), kumod: absentKumod() });
	apps.push(app);
	await prepareSetupCode(app);
	const setupCode = readFileSync(join(app.env.dataDir, 'setup-code'), 'utf8').trim();
	const person = { email: worldEmail, password: worldPassword, setupCode };
	const { data } = await callOverHttp(app, 'auth.register', person, { local: null });
	const call: Panel['call'] = (path, input) => callOverHttp(app, path, input, { local: null, token: data.token });
	async function must(path: string, input?: unknown) {
		const answer = await call(path, input);
		if (!answer.ok) throw new Error(`${path} was refused: ${answer.text}`);
		return answer.data;
	}
	return { app, server, call, must };
}

const health = (app: TestApp) => healthz({ locals: { app } } as unknown as Parameters<typeof healthz>[0]);

describe('a panel whose database is a libSQL server', () => {
	it('does everything from the first account to an applied policy', async () => {
		const { app, server, call, must } = await openPanel();
		const source = await must('sources.create', {
			address: '192.0.2.1',
			ehloDomain: 'out1.example.net',
			name: 'First'
		});
		const pool = await must('pools.create', { name: 'main', sources: [{ sourceId: source.id, weight: 1 }] });
		await must('settings.update', { hostname: 'mta.example.net', defaultPoolId: pool.id });
		const domain = await must('domains.create', { name: 'example.com' });
		const key = await must('dkim.import', { domainId: domain.id, selector: 'k1', pem: newPem() });
		await must('dkim.activate', { id: key.id });
		await must('dkim.generate', { domainId: domain.id, algorithm: 'ed25519' });
		for (const localPart of ['news', 'shop', 'newsletter'])
			await must('senders.create', { domainId: domain.id, localPart, poolId: pool.id });
		await must('bounces.create', { domainId: domain.id, localPart: 'replies', password: null });

		const taken = await Promise.all([
			call('domains.create', { name: 'example.com' }),
			call('pools.create', { name: 'main', sources: [{ sourceId: source.id, weight: 1 }] }),
			call('sources.create', { address: '192.0.2.1', ehloDomain: 'out2.example.net', name: 'Second' }),
			call('senders.create', { domainId: domain.id, localPart: 'news', poolId: pool.id }),
			callOverHttp(app, 'auth.login', { email: worldEmail, password: 'not the password' }, { local: null })
		]);
		expect(taken.map(({ error }) => error.code)).toEqual([...Array<string>(4).fill('CONFLICT'), 'UNAUTHORIZED']);
		expect((await call('pools.remove', { id: pool.id })).error.reason).toBe('pool-in-use');

		const found = async (search: string) =>
			(await must('senders.list', { search })).items.map(({ address }: { address: string }) => address);
		expect(await found('ne')).toEqual(['news@example.com', 'newsletter@example.com']);
		expect(await found('letter')).toEqual(['newsletter@example.com']);
		expect(await found('example.com')).toHaveLength(3);
		const first = await must('senders.list', { limit: 2 });
		const second = await must('senders.list', { limit: 2, cursor: first.nextCursor });
		expect([first.total, first.items.length, second.items.length, second.nextCursor]).toEqual([3, 2, 1, null]);
		expect((await must('domains.list', { search: 'XAMPLE' })).total).toBe(1);

		const upload = await must('imports.create', { kind: 'domains-and-senders' });
		const text = 'domain,sender\nexample.org,hello\nexample.com,more\n';
		await must('imports.append', { id: upload.id, part: 0, text });
		const { hash: importHash } = await must('imports.preview', { id: upload.id });
		await must('imports.commit', { id: upload.id, expectedHash: importHash });
		expect((await must('senders.list', {})).total).toBe(5);

		const preview = await must('policy.preview');
		expect(JSON.stringify(preview.files)).toContain('example.com');
		expect((await must('policy.changes', {})).items.length).toBeGreaterThan(0);
		const { outcome } = await must('policy.apply', { expectedHash: preview.hash });
		expect(outcome).toBe('applied');
		expect((await must('policy.status')).liveHash).toBe(preview.hash);
		expect((await must('policy.revisions', {})).total).toBe(1);

		const trail = await must('audit.list', { action: 'senders.create', sort: { by: 'at', dir: 'asc' } });
		expect(trail.items.map((entry: { outcome: string }) => entry.outcome)).toEqual(['ok', 'ok', 'ok', 'CONFLICT']);
		expect(server.openStreams()).toBe(0);
		expect(app.logLines.join('\n')).not.toContain(server.token);
	});

	it('removes a domain with more senders than go at once, and reads a policy of several pages', async () => {
		const { app, must } = await openPanel();
		const source = await must('sources.create', {
			address: '192.0.2.1',
			ehloDomain: 'out1.example.net',
			name: 'First'
		});
		const pool = await must('pools.create', { name: 'main', sources: [{ sourceId: source.id, weight: 1 }] });
		await must('settings.update', { hostname: 'mta.example.net', defaultPoolId: pool.id });
		const domain = await must('domains.create', { name: 'example.com' });
		await insertSenders(app, { domainId: domain.id, poolId: pool.id, count: 2500 });
		expect((await must('senders.list', { search: 'news0024' })).total).toBe(100);
		expect((await must('policy.preview')).counts?.senders ?? 2500).toBe(2500);
		await must('domains.remove', { id: domain.id, confirm: 'example.com' });
		expect((await must('senders.list', {})).total).toBe(0);
		expect((await must('senders.list', { search: 'news0024' })).total).toBe(0);
	});

	it('says that something is wrong while the server is gone, and is whole when it is back', async () => {
		const { app, server, call, must } = await openPanel();
		expect((await health(app)).status).toBe(200);
		await server.stop();
		const down = await health(app);
		expect([down.status, await down.text()]).toEqual([503, '{"status":"database unavailable"}']);
		for (const answer of [await call('settings.get'), await call('domains.create', { name: 'example.com' })]) {
			expect(answer.error).toMatchObject({ code: 'INTERNAL_SERVER_ERROR', reason: 'database-unreachable' });
			expect(answer.text).toContain('database does not answer');
			expect(answer.text).not.toMatch(/libsql|127\.0\.0\.1|select|token/i);
		}
		expect(app.logLines.join('\n')).toContain('DATABASE_UNREACHABLE');
		await server.start();
		expect((await health(app)).status).toBe(200);
		await must('domains.create', { name: 'example.com' });
		expect((await must('domains.list', {})).total).toBe(1);
	});

	it('is not healthy while the server keeps silent, and says so in seconds', async () => {
		const { app, server } = await openPanel();
		server.script.isSilent = true;
		vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
		try {
			const answer = health(app);
			await vi.advanceTimersByTimeAsync(5000);
			expect((await answer).status).toBe(503);
		} finally {
			vi.useRealTimers();
		}
	});

	it('loses no half of a call that the server dies in, and goes on', async () => {
		const { server, call, must } = await openPanel();
		const upload = await must('imports.create', { kind: 'domains-and-senders' });
		await must('imports.append', { id: upload.id, part: 0, text: 'domain\na.example\nb.example\nc.example\n' });
		const { hash } = await must('imports.preview', { id: upload.id });
		let batches = 0;
		server.script.onRequest = ({ type }) => {
			if (type === 'batch' && (batches += 1) === 3) void server.stop();
		};
		const answer = await call('imports.commit', { id: upload.id, expectedHash: hash });
		expect([answer.ok, answer.error.code]).toEqual([false, 'INTERNAL_SERVER_ERROR']);
		server.script.onRequest = undefined;
		await server.start();
		expect((await must('domains.list', {})).total).toBe(0);
		await must('imports.commit', { id: upload.id, expectedHash: hash });
		expect((await must('domains.list', {})).total).toBe(3);
	});
});
