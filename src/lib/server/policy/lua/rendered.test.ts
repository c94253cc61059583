import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { openTestApp, temporaryDirectory } from '../../../../../tests/support/app.ts';
import type { TestApp } from '../../../../../tests/support/app.ts';
import { estateInput, fillDatabase } from '../../../../../tests/support/estate.ts';
import { closeCompiler, compilePolicy } from '../compile.ts';
import { answer, from, generated, inbound, submission } from './fixture.ts';
import { inject } from './injection.ts';
import { verifierFor } from './revision.ts';
import { start } from './session.ts';
import { openPolicy } from './vm.ts';
import type { Policy } from './vm.ts';

let app: TestApp;
let policy: Policy;

afterEach(async () => {
	policy.close();
	await closeCompiler(app);
});

/** A revision of the panel's own database, as it would be staged. */
async function openRendered(): Promise<void> {
	app = await openTestApp();
	const input = estateInput({ domains: 2, senders: 4 });
	for (const sender of input.senders) sender.verifier = verifierFor(generated, 1);
	await fillDatabase(app.database.client, input);
	const root = temporaryDirectory();
	const roots = {
		policy: join(root, 'policy'),
		dkim: join(root, 'dkim'),
		tls: join(root, 'tls'),
		mail: '/var/mail/kumomta',
		share: '/opt/kumomta/share'
	};
	const program = readFileSync(new URL('../program.lua', import.meta.url));
	const compiled = await compilePolicy(app, { program, customLua: null, roots, live: null });
	const revision = `7-${compiled.hash.slice(0, 12)}`;
	const directory = join(root, revision);
	mkdirSync(directory);
	await compiled.writeTo(directory, { revision, linkDirectoryFrom: null });
	compiled.release();
	for (const { name } of input.domains) {
		mkdirSync(join(roots.dkim, name), { recursive: true });
		writeFileSync(join(roots.dkim, name, 'k1.key'), 'a key');
	}
	policy = await openPolicy(directory);
	start(policy);
}

it('runs what the panel renders', async () => {
	await openRendered();
	expect(policy.call('validate_config')).toEqual({ kind: 'value', value: undefined });
	expect(policy.observed()).toMatchObject({ failed: false, printed: [] });
	expect(policy.configured('start_esmtp_listener').map(({ listen }) => listen)).toEqual(['0.0.0.0:25', '0.0.0.0:587']);

	const session = submission(policy);
	expect(session.auth('s000001@d00000.example', generated).code).toBe(235);
	expect(answer(session.mailFrom('v=1@bounce.d00000.example'))).toBe('250 OK');
	expect(answer(session.rcptTo('a@example.net'))).toBe('250 OK');
	const { messages } = session.data(from('s000001@d00000.example'));
	expect(messages[0]).toMatchObject({
		queue: 's000001.d00000.example@example.net',
		signatures: [{ domain: 'd00000.example', selector: 'k1' }]
	});

	const report = inbound(policy);
	report.mailFrom('');
	expect(report.rcptTo('replies+9@bounce.d00001.example').code).toBe(250);
	expect(report.data(from('a@example.net')).messages[0]?.queue).toMatch(/^[a-z0-9]{16}\.mailbox\.internal$/);

	const sender = 's000000@d00000.example';
	const injected = inject(policy, { peer: '127.0.0.1', sender, recipient: 'a@example.net', headers: from(sender) });
	expect(injected.message?.meta.tenant).toBe('s000000.d00000.example');

	const queue = (tenant: string) =>
		policy.call('get_queue_config', { kind: 'text', value: 'example.net' }, { kind: 'text', value: tenant });
	expect(queue('s000000.d00000.example')).toMatchObject({
		value: { egress_pool: 'warm', max_message_rate: '2000/h', max_age: 259_200 }
	});
	expect(queue('gone.example')).toMatchObject({ value: { egress_pool: 'main' } });
	expect(policy.call('get_egress_pool', { kind: 'text', value: 'former' })).toMatchObject({
		value: { name: 'former' }
	});
	const pool = policy.call('get_egress_pool', { kind: 'text', value: 'warm' });
	const [entry] = (pool as { value: { entries: { name: string }[] } }).value.entries;
	expect(policy.call('get_egress_source', { kind: 'text', value: entry?.name ?? '' })).toMatchObject({
		value: { source_address: '192.0.2.2', ehlo_domain: 'out2.example.net' }
	});
});
