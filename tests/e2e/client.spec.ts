import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { startBuiltServer } from '../support/built-server.ts';
import type { BuiltServer } from '../support/built-server.ts';
import { createClient } from '../support/client.ts';

/** From an empty data directory to revision 1 by the typed client alone, as another company's program would. */

let server: BuiltServer;
test.beforeAll(async () => {
	server = await startBuiltServer();
});
test.afterAll(() => server.remove());

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

test('a program goes from nothing to a live revision', async () => {
	const visitor = createClient(server.url);
	expect(await visitor.auth.status.query()).toEqual({ setupRequired: true });
	const { token } = await visitor.auth.register.mutate({
		email: 'ops@example.net',
		password: 'a long and quiet sentence',
		setupCode: server.setupCode()
	});
	const client = createClient(server.url, token);

	await client.settings.update.mutate({ hostname: 'mta1.example.net' });
	const source = await client.sources.create.mutate({ address: '203.0.113.24', ehloDomain: 'out1.example.net' });
	if (!('id' in source)) throw new Error('One source was asked for.');
	const pool = await client.pools.create.mutate({ name: 'main', sources: [{ sourceId: source.id, weight: 1 }] });
	await client.settings.update.mutate({ defaultPoolId: pool.id });
	const domain = await client.domains.create.mutate({ name: 'news.example' });
	expect(domain).toMatchObject({ bounceHost: 'bounce.news.example', readiness: { ready: false } });
	const key = await client.dkim.generate.mutate({ domainId: domain.id, algorithm: 'rsa-2048' });
	expect(key).toMatchObject({ state: 'pending', selector: 'k1' });
	await client.dkim.activate.mutate({ id: key.id });
	const { records } = await client.domains.dns.query({ id: domain.id });
	expect(records.map(({ name }) => name)).toEqual(
		expect.arrayContaining(['k1._domainkey.news.example', '_dmarc.news.example', 'bounce.news.example', 'news.example'])
	);
	const sender = await client.senders.create.mutate({ domainId: domain.id, localPart: 'letter', poolId: pool.id });
	expect(sender).toMatchObject({
		address: 'letter@news.example',
		tenant: 'letter.news.example',
		credential: { isSet: true, generated: true }
	});
	expect(sender.password).toMatch(/^[A-Za-z0-9_-]{32}$/);
	expect(JSON.stringify(await client.senders.get.query({ id: sender.id }))).not.toContain(sender.password);

	let status = await client.policy.status.query();
	for (let tries = 0; status.computing === true && tries < 100; tries += 1) {
		await new Promise((resolve) => setTimeout(resolve, 50));
		status = await client.policy.status.query();
	}
	expect(status).toMatchObject({ liveRevision: null, dirty: true });
	const preview = await client.policy.preview.query();
	expect(preview.problems.filter(({ severity }) => severity === 'error')).toEqual([]);
	expect(JSON.stringify(preview)).not.toContain(sender.password);
	const changes = await client.policy.changes.query({});
	expect(changes.items.map(({ text }) => text).join('\n')).toContain('letter@news.example');

	await expect(client.policy.apply.mutate({ expectedHash: 'f'.repeat(64) })).rejects.toMatchObject({
		data: { code: 'CONFLICT', reason: 'pending-moved' }
	});
	const applied = await client.policy.apply.mutate({ expectedHash: preview.hash, reason: 'first' });
	expect(applied).toMatchObject({ revision: 1, outcome: 'applied' });
	const validate = applied.steps.find(({ name }) => name === 'validate');
	expect(validate?.status).toBe('skipped');
	expect(validate?.output).toMatch(/KumoMTA is not installed/i);
	expect(await client.policy.status.query()).toMatchObject({ liveRevision: 1, dirty: false, drift: [] });

	const again = await client.policy.apply.mutate({ expectedHash: preview.hash });
	expect(again.outcome).toBe('unchanged');

	const audit = await client.audit.list.query({});
	expect(audit.items.map(({ action }) => action)).toEqual(
		expect.arrayContaining(['policy.apply', 'senders.create', 'auth.register'])
	);
	expect(JSON.stringify(audit)).not.toContain(sender.password);
	expect(server.output()).not.toContain(sender.password);
});

test('the files of the revision lie under the root with their modes', () => {
	const policy = join(server.kumomtaRoot, 'etc/policy');
	const lines = readFileSync(join(policy, 'init.lua'), 'utf8').trim().split('\n');
	expect(lines).toHaveLength(2);
	const [directory = ''] = readdirSync(join(policy, 'revisions'));
	expect(directory).toMatch(/^1-[0-9a-f]{12}$/);
	expect(lines.join('\n')).toContain(join(policy, 'revisions', directory));
	expect(lines.join('\n')).not.toContain('news.example');
	const files = readdirSync(join(policy, 'revisions', directory)).sort();
	expect(files).toEqual(
		expect.arrayContaining(['directory.sqlite', 'manifest.json', 'node.toml', 'program.lua', 'shaping.toml'])
	);
	for (const file of files) expect(modeOf(join(policy, 'revisions', directory, file)), file).toBe('640');
	for (const path of [policy, join(policy, 'revisions'), join(policy, 'revisions', directory)])
		expect(modeOf(path), path).toBe('750');
	const key = join(server.kumomtaRoot, 'etc/dkim/news.example/k1.key');
	expect(lstatSync(key).isFile()).toBe(true);
	expect(modeOf(key)).toBe('600');
	expect(readFileSync(key, 'utf8')).toContain('PRIVATE KEY');
	expect(existsSync('/opt/kumomta/etc/policy/init.lua.before-kumomta-ui')).toBe(false);
});
