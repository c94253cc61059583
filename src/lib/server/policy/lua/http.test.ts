import { describe, expect, it } from 'vitest';
import { chosen, from, generated, policyWith } from './fixture.ts';
import { inject } from './injection.ts';
import { verifierFor } from './revision.ts';
import type { Header } from './host.ts';

const panelPassword = 'panel-credential-with-192-bits-00';
const { salt, hash } = verifierFor(panelPassword, 1);
const credential = { http: { listen: '127.0.0.1:8000', mode: 'credential', credential: { salt, hash } } };
const news = { user: 'news@example.com', password: generated };
const panel = { user: 'kumomta-ui', password: panelPassword };

const usual = {
	peer: '127.0.0.1',
	sender: 'news@example.com',
	recipient: 'a@example.net',
	headers: from('news@example.com')
};

describe('http_server_validate_auth_basic', () => {
	const cases: [what: string, user: string, password: string | undefined, identity: string | false][] = [
		['the right password', 'news@example.com', generated, 'news@example.com'],
		['another letter case', 'NEWS@example.com', generated, 'news@example.com'],
		['a chosen password', 'all@example.com', chosen, 'all@example.com'],
		['a wrong password', 'news@example.com', 'wrong', false],
		['no password', 'news@example.com', undefined, false],
		['an empty password', 'news@example.com', '', false],
		['an unknown user', 'nobody@example.com', generated, false],
		['an empty user', '', '', false],
		['a sender without a password', 'mute@example.com', 'x', false],
		['the panel’s user without a credential', 'kumomta-ui', panelPassword, false]
	];
	it.each(cases)('answers %s, never nil', async (_what, user, password, identity) => {
		const policy = await policyWith();
		const outcome = policy.call(
			'http_server_validate_auth_basic',
			{ kind: 'text', value: user },
			password === undefined ? { kind: 'none' } : { kind: 'text', value: password }
		);
		expect(outcome).toEqual({
			kind: 'value',
			value: identity === false ? false : { identities: [{ identity, context: 'HttpBasicAuth' }] }
		});
	});

	it('slows one sender down', async () => {
		const policy = await policyWith();
		const answers = Array.from(
			{ length: 61 },
			(_, index) => inject(policy, { ...usual, basic: { user: news.user, password: `wrong ${index}` } }).status
		);
		expect(new Set(answers)).toEqual(new Set([401]));
		const before = policy.observed().hmacs;
		expect(inject(policy, { ...usual, basic: news }).status).toBe(401);
		expect(policy.observed().hmacs).toBe(before);
	});
});

describe('injection', () => {
	const cases: [what: string, change: Partial<Parameters<typeof inject>[1]>, expected: string][] = [
		['a trusted peer as a known sender', {}, 'news.example.com'],
		[
			'a trusted peer as the domain-wide sender',
			{ sender: 'all@example.com', headers: from('x@example.com') },
			'all.example.com'
		],
		[
			'a trusted peer as an unknown sender',
			{ headers: from('x@elsewhere.example') },
			'550 5.7.1 no sender has this From address'
		],
		['a trusted peer without a From', { headers: [] as Header[] }, '550 5.6.0 exactly one From header is required'],
		['a trusted peer with the null sender', { sender: '' }, '550 5.1.7 the null sender is for reports only'],
		[
			'a trusted peer to a queue inside',
			{ recipient: 'a@x.xfer.kumomta.internal' },
			'550 5.1.2 this domain is reserved'
		],
		['a user as itself', { basic: news }, 'news.example.com'],
		['a user as its bounce host', { basic: news, sender: 'v=1@bounce.example.com' }, 'news.example.com'],
		[
			'a user as a colleague',
			{ basic: news, headers: from('all@example.com') },
			'550 5.7.1 this sender may not use this From address'
		],
		[
			'a user with a foreign envelope',
			{ basic: news, sender: 'me@strict.example' },
			'550 5.7.1 MAIL FROM must be the sender address or at its bounce host'
		],
		[
			'a user with a wrong password from a trusted peer',
			{ basic: { user: news.user, password: 'x' } },
			'Authentication Failed'
		],
		['a stranger', { peer: '203.0.113.5' }, 'denied'],
		['a stranger with a password', { peer: '203.0.113.5', basic: news }, 'news.example.com'],
		[
			'a paused sender',
			{ headers: from('paused@example.com'), sender: 'paused@example.com' },
			'450 4.7.1 sending is paused for this sender'
		]
	];
	it.each(cases)('by %s', async (_what, change, expected) => {
		const reply = inject(await policyWith(), { ...usual, ...change });
		expect(reply.reason ?? reply.message?.meta.tenant).toBe(expected);
		expect(reply.message?.signatures.length ?? 2).toBe(2);
	});

	it('by somebody with neither trust nor a login is refused in the program too', async () => {
		const policy = await policyWith();
		const message = policy.newMessage({
			sender: 'news@example.com',
			recipients: ['a@example.net'],
			headers: usual.headers
		});
		for (const info of [
			{},
			{ identities: [], groups: [] },
			{ groups: ['users'] },
			{ identities: [{ identity: 'news@example.com', context: 'GenericAuth' }] }
		])
			expect(
				policy.call('http_message_generated', { kind: 'message', value: message }, { kind: 'data', value: info })
			).toMatchObject({ kind: 'rejected', rejection: { code: 550 } });
	});
});

describe('with a panel credential', () => {
	it('loopback alone opens nothing', async () => {
		const policy = await policyWith({ node: credential });
		expect(policy.configured('start_http_listener')).toEqual([
			{ listen: '127.0.0.1:8000', hostname: 'mx.example.com', trusted_hosts: ['255.255.255.255/32'] }
		]);
		expect(inject(policy, usual).status).toBe(401);
		expect(inject(policy, { ...usual, basic: panel }).message?.meta.tenant).toBe('news.example.com');
		expect(inject(policy, { ...usual, basic: { ...panel, password: 'x' } }).status).toBe(401);
		expect(inject(policy, { ...usual, basic: news }).message?.meta.tenant).toBe('news.example.com');
	});

	it('puts the panel, and nobody else, into the group that may administer', async () => {
		const policy = await policyWith({ node: credential });
		const groups = (user: string, password: string) => {
			const outcome = policy.call(
				'http_server_validate_auth_basic',
				{ kind: 'text', value: user },
				{ kind: 'text', value: password }
			);
			return outcome.kind === 'value' ? (outcome.value as { groups?: string[] }).groups : outcome;
		};
		expect(groups('kumomta-ui', panelPassword)).toEqual(['kumomta-ui:panel']);
		expect(groups('news@example.com', generated)).toBeUndefined();
	});

	const panelOnly = (privilege: string) => ({
		criteria: { Identity: { Group: 'kumomta-ui:panel' } },
		privilege,
		access: 'Allow'
	});
	const nobody = ['GET', 'POST', 'DELETE'].map((privilege) => ({
		criteria: { Identity: 'Any' },
		privilege,
		access: 'Deny'
	}));
	const resources: [resource: string, rules: unknown][] = [
		['http_listener/*/api/admin', ['GET', 'POST', 'DELETE'].map(panelOnly)],
		['http_listener/*/api/admin/xfer', nobody],
		['http_listener/*/api/xfer', nobody],
		['http_listener/*/metrics', [panelOnly('GET')]],
		['http_listener/*/metrics.json', [panelOnly('GET')]],
		['http_listener/*/api/machine-info', [panelOnly('GET')]],
		['http_listener/*/api/inject', [{ criteria: { Identity: 'Authenticated' }, privilege: 'POST', access: 'Allow' }]],
		['http_listener/*/api/check-liveness', undefined],
		['http_listener', undefined]
	];
	it.each(resources)('rules %s', async (resource, rules) => {
		const name = { kind: 'text', value: resource } as const;
		const closed = await policyWith({ node: credential });
		expect(closed.call('get_acl_definition', name)).toEqual({ kind: 'value', value: rules });
		const trusting = await policyWith();
		expect(trusting.call('get_acl_definition', name)).toEqual({ kind: 'value', value: undefined });
	});
});
