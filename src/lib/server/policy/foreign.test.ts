import { mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { openTestApp } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { domainName } from '../../../../tests/support/estate.ts';
import { absentKumod, fillEstate, testHost } from '../../../../tests/support/policy-app.ts';
import { closeCompiler } from './compile.ts';
import { recognise } from './foreign-constructs.ts';
import { explainForeign } from './foreign.ts';
import { policyRoots } from './roots.ts';

const policy = `local kumo = require 'kumo'
local shaping = require 'policy-extras.shaping'
local sources = require('policy-extras.sources')
dofile '/opt/kumomta/etc/policy/more.lua'
-- kumo.start_esmtp_listener { listen = '0.0.0.0:2525' }
--[[ kumo.define_spool {
  path = '/commented/out' } ]]
kumo.on('init', function()
  kumo.start_esmtp_listener {
    listen = '0.0.0.0:25',
    hostname = 'mta.example.net', -- a brace } in a comment
    relay_hosts = { '10.0.0.0/8', "192.0.2.7" },
    tls_certificate = '/etc/ssl/mx.pem',
  }
  kumo.start_esmtp_listener({ listen = '192.0.2.1:2526', hostname = 'other.example.net' })
  kumo.start_http_listener { listen = '0.0.0.0:8000' }
  kumo.define_spool { name = 'data', path = '/var/spool/kumomta/data' }
  kumo.define_spool { name = 'meta', path = '/srv/spool/meta' }
  kumo.configure_local_logs { log_dir = '/srv/log' }
end)
kumo.on('get_egress_source', function(name)
  return kumo.make_egress_source { name = name, source_address = '203.0.113.99', ehlo_domain = 'old.example.net' }
end)
kumo.on('get_egress_pool', function(name)
  return kumo.make_egress_pool { name = 'main', entries = {} }
end)
kumo.on('smtp_server_auth_plain', function(authz, authc, password)
  local passwords = {
    ['scott'] = 'tiger-4711',
  }
  return passwords[authc] == password
end)
kumo.on('smtp_server_message_received', function(msg)
  msg:dkim_sign(kumo.dkim.rsa_sha256_signer { domain = '${domainName(0)}', selector = 's1', key = '/opt/kumomta/etc/dkim/a.key' })
  msg:dkim_sign(kumo.dkim.rsa_sha256_signer {
    domain = 'unknown.example',
    key = { key_data = 'tiger-4712' },
  })
end)
`;

describe('a foreign policy as text', () => {
	it('is recognised by what it says, each thing once, at its line; comments say nothing', () => {
		const found = recognise(policy);
		expect(found.map(({ code, value }) => `${code} ${value}`)).toEqual([
			'helper policy-extras.shaping',
			'helper policy-extras.sources',
			'other-file /opt/kumomta/etc/policy/more.lua',
			'event init',
			'listener 0.0.0.0:25',
			'hostname mta.example.net',
			'relay-host 10.0.0.0/8',
			'relay-host 192.0.2.7',
			'tls /etc/ssl/mx.pem',
			'listener 192.0.2.1:2526',
			'hostname other.example.net',
			'http-listener 0.0.0.0:8000',
			'spool /var/spool/kumomta/data',
			'spool /srv/spool/meta',
			'logs /srv/log',
			'event get_egress_source',
			'source 203.0.113.99',
			'source-ehlo old.example.net',
			'event get_egress_pool',
			'pool main',
			'event smtp_server_auth_plain',
			'event smtp_server_message_received',
			`dkim-domain ${domainName(0)}`,
			'dkim-domain unknown.example'
		]);
		const lines = policy.split('\n');
		for (const { line, value } of found) expect(lines[line - 1]).toContain(value);
	});

	it.each([
		['nothing', ''],
		['an open table', "kumo.start_esmtp_listener { listen = '0.0.0.0:25'"],
		['much of it', 'kumo.start_esmtp_listener { '.repeat(5000)],
		['quotes that never end', 'kumo.on(\'init\n"'.repeat(2000)],
		['computed values', "kumo.define_spool { path = root .. '/data' }"]
	])('takes %s without harm', (_, text) => {
		const before = performance.now();
		expect(recognise(text).length).toBeLessThan(2);
		expect(performance.now() - before).toBeLessThan(5000);
	});
});

describe('beside ours', () => {
	let app: TestApp;
	afterEach(async () => {
		await closeCompiler(app);
		app.close();
	});

	it('says what ours does too, what it lacks and where that is set; no secret is shown', async () => {
		app = await openTestApp({ host: testHost(), kumod: absentKumod() });
		await fillEstate({ client: app.database.client, keys: app.keys }, { domains: 2, senders: 4 });
		expect(await explainForeign(app)).toBeNull();
		const roots = policyRoots(app.env.kumomtaRoot);
		mkdirSync(roots.policy, { recursive: true });
		writeFileSync(roots.init, policy);
		const answer = await explainForeign(app);
		const of = (theirs: string) => answer?.hints.find((hint) => hint.theirs.includes(theirs));
		expect(of('0.0.0.0:25')).toMatchObject({ verdict: 'same', ours: 'Ours too, for inbound mail.' });
		expect(of('192.0.2.1:2526')).toMatchObject({ verdict: 'missing', href: '/settings#listeners' });
		expect(of('192.0.2.7')).toMatchObject({ verdict: 'missing', href: '/settings#relay-hosts' });
		expect(of('greets as mta.example.net')).toMatchObject({ verdict: 'same' });
		expect(of('/srv/spool/meta')).toMatchObject({ verdict: 'missing', href: '/settings#spool' });
		expect(of('203.0.113.99')).toMatchObject({ verdict: 'missing', href: '/sources?new' });
		expect(of('a pool main')).toMatchObject({ verdict: 'same' });
		expect(of(domainName(0))).toMatchObject({ verdict: 'same' });
		expect(of('unknown.example')).toMatchObject({ verdict: 'missing', href: '/domains?new' });
		expect(of('smtp_server_auth_plain')).toMatchObject({ verdict: 'note', href: '/senders' });
		expect(JSON.stringify(answer)).not.toMatch(/tiger-471/);
		expect(answer).toMatchObject({ isPackaged: false, lineCount: policy.split('\n').length });
		expect(answer?.masked).toBeGreaterThan(1);
	});
});
