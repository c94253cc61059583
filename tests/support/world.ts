import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepareSetupCode } from '../../src/lib/server/auth/setup-code.ts';
import type { Caller } from '../../src/lib/server/core/trpc.ts';
import { closeCompiler } from '../../src/lib/server/policy/compile.ts';
import { openTestApp, testClock } from './app.ts';
import type { TestApp } from './app.ts';
import { callOverHttp } from './contract.ts';
import type { Answer, Parsed, Who } from './contract.ts';
import { absentKumod, testHost } from './policy-app.ts';

/** A panel in use: one item of every kind, and one applied revision. */
export interface World {
	app: TestApp;
	user: Caller;
	ids: Record<
		| 'source'
		| 'pool'
		| 'domain'
		| 'key'
		| 'pendingKey'
		| 'sender'
		| 'bounce'
		| 'suppression'
		| 'import'
		| 'apply'
		| 'session'
		| 'route',
		string
	>;
	/** By the signed-in user of this world, unless told otherwise. */
	call: (path: string, input?: unknown, who?: Who) => Promise<Answer>;
	/** The same, failing when it is refused. */
	must: (path: string, input?: unknown) => Promise<Parsed>;
	close: () => Promise<void>;
}

export const worldEmail = 'ops@example.net';
export const worldPassword = 'a long and quiet sentence';
export const newPem = () =>
	generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

/** An app without KumoMTA, and no items yet. */
export async function openEmptyWorld(clock = testClock().now): Promise<Omit<World, 'ids'>> {
	const app = await openTestApp({ clock, host: testHost(), kumod: absentKumod() });
	// Nothing here has to outlive a power cut, and each call writes its audit row twice.
	await app.database.client.execute('PRAGMA synchronous = off');
	const user = await registerUser(app);
	const call: World['call'] = (path, input, who) => callOverHttp(app, path, input, { local: user, ...who });
	async function must(path: string, input?: unknown) {
		const answer = await call(path, input);
		if (!answer.ok) throw new Error(`${path} was refused: ${answer.text}`);
		return answer.data;
	}
	return { app, user, call, must, close: () => closeCompiler(app) };
}

async function registerUser(app: TestApp): Promise<Caller> {
	await prepareSetupCode(app);
	const setupCode = readFileSync(join(app.env.dataDir, 'setup-code'), 'utf8').trim();
	const input = { email: worldEmail, password: worldPassword, setupCode };
	const { data } = await callOverHttp(app, 'auth.register', input, { local: null });
	const [session] = (await app.database.client.execute('SELECT id FROM sessions')).rows;
	return { actor: data.user.id, name: worldEmail, userId: data.user.id, sessionId: session?.id as string };
}

export async function openWorld(clock = testClock().now): Promise<World> {
	const world = await openEmptyWorld(clock);
	const { must } = world;
	const source = await must('sources.create', { address: '192.0.2.1', ehloDomain: 'out1.example.net', name: 'First' });
	const pool = await must('pools.create', { name: 'main', sources: [{ sourceId: source.id, weight: 1 }] });
	await must('settings.update', { hostname: 'mta.example.net', defaultPoolId: pool.id });
	const domain = await must('domains.create', { name: 'example.com' });
	const key = await must('dkim.import', { domainId: domain.id, selector: 'k1', pem: newPem() });
	await must('dkim.activate', { id: key.id });
	const pendingKey = await must('dkim.generate', { domainId: domain.id, algorithm: 'ed25519' });
	const sender = await must('senders.create', { domainId: domain.id, localPart: 'news', poolId: pool.id });
	const bounce = await must('bounces.create', { domainId: domain.id, localPart: 'replies', password: null });
	const suppression = await must('suppression.add', { address: 'gone@example.org', domainId: domain.id });
	const upload = await must('imports.create', { kind: 'domains-and-senders' });
	await must('imports.append', { id: upload.id, part: 0, text: 'domain,sender\nexample.com,shop\n' });
	const { hash } = await must('policy.preview');
	const { applyId, outcome, steps } = await must('policy.apply', { expectedHash: hash });
	if (outcome !== 'applied') throw new Error(`The first policy was ${outcome}: ${JSON.stringify(steps)}`);
	// Refused by every policy, so that it stands in no later apply's way.
	const stranger = { via: 'http', clientAddress: '203.0.113.9' };
	const request = { arrival: stranger, mailFrom: '', recipients: ['someone@example.org'], headers: [] };
	const route = await must('policy.routes.create', { name: 'Stranger', request, expectation: { verdict: 'refused' } });
	const ids = {
		source: source.id,
		pool: pool.id,
		domain: domain.id,
		key: key.id,
		pendingKey: pendingKey.id,
		sender: sender.id,
		bounce: bounce.id,
		suppression: suppression.id,
		import: upload.id,
		apply: applyId,
		session: world.user.sessionId ?? '',
		route: route.id
	};
	return { ...world, ids };
}

/**
 * Inputs that each procedure accepts in such a world, together with every field that its schema has. `number` keeps new
 * items apart.
 */
export function validInputs({ ids }: Pick<World, 'ids'>, number: number): Record<string, unknown[]> {
	const list = { search: 'exam', limit: 10 };
	const by = (sort: string) => ({ ...list, sort: { by: sort, dir: 'asc' } });
	const cursor = { cursor: 'unknown' };
	const hash = '0'.repeat(64);
	const wishes = {
		reason: 'because',
		takeOver: hash,
		overwriteDrift: false,
		dropping: [ids.domain],
		overridingRoutes: ['Stranger']
	};
	const ends = { from: 'pending', to: 'pending' };
	const change = { ...ends, scope: 'sender', kind: 'changed', search: 'exam' };
	const dmarc = {
		policy: 'none',
		subdomainPolicy: 'none',
		percentage: 100,
		aggregateReports: 'reports@example.org',
		failureReports: 'failures@example.org'
	};
	const host = (name: string) => `${name}${number}.example.org`;
	const domain = { bounceHost: host('bounce'), complaintAddress: 'abuse@example.org', dmarc };
	const person = { email: worldEmail, password: worldPassword };
	const sender = { fromPolicy: 'address', status: 'enabled', limits: { perHour: 100 }, retryIntervalSeconds: 60 };
	return {
		'auth.register': [{ ...person, setupCode: '0000' }],
		'auth.login': [person],
		'auth.changePassword': [{ currentPassword: worldPassword, newPassword: worldPassword }],
		'auth.sessions.revoke': [{ id: ids.session }],
		'settings.update': [validSettings(ids.pool)],
		'sources.list': [{ ...by('name'), ...cursor }],
		'sources.create': [
			{
				address: `10.${number >> 8}.${number & 255}.7`,
				ehloDomain: host('out'),
				name: `Source ${number}`,
				publicAddress: '198.51.100.1'
			},
			{ cidr: '203.0.113.0/31', ehloPattern: `range${number}-{n}.example.org` }
		],
		'sources.update': [
			{ id: ids.source, address: '192.0.2.1', ehloDomain: host('out'), name: 'First', publicAddress: '198.51.100.1' }
		],
		'sources.remove': [{ id: ids.source }],
		'pools.list': [{ ...by('name'), ...cursor }],
		'pools.create': [{ name: `pool-${number}`, sources: [{ sourceId: ids.source, weight: 1 }] }],
		'pools.update': [{ id: ids.pool, name: 'main', sources: [{ sourceId: ids.source, weight: 1 }] }],
		'pools.remove': [{ id: ids.pool }],
		'domains.list': [{ ...by('name'), ...cursor }],
		'domains.get': [{ id: ids.domain }],
		'domains.create': [{ name: host('new'), ...domain }],
		'domains.update': [{ id: ids.domain, ...domain }],
		'domains.impact': [{ id: ids.domain }],
		'domains.remove': [{ id: ids.domain, confirm: 'another.example' }],
		'domains.dns': [{ id: ids.domain }],
		'domains.checkDns': [{ id: ids.domain }],
		'dkim.list': [{ domainId: ids.domain, ...by('selector'), ...cursor }],
		'dkim.generate': [{ domainId: ids.domain, algorithm: 'ed25519', selector: `g${number}` }],
		'dkim.import': [{ domainId: ids.domain, selector: `i${number}`, pem: newPem() }],
		'dkim.activate': [{ id: ids.key }],
		'dkim.retire': [{ id: ids.key }],
		'dkim.remove': [{ id: ids.key }],
		'senders.list': [{ domainId: ids.domain, ...by('address'), ...cursor }],
		'senders.get': [{ id: ids.sender }],
		'senders.create': [
			{
				domainId: ids.domain,
				localPart: `sender${number}`,
				poolId: ids.pool,
				password: 'sixteen letters or more',
				...sender
			}
		],
		'senders.update': [{ id: ids.sender, poolId: ids.pool, ...sender }],
		'senders.remove': [{ id: ids.sender }],
		'senders.setPassword': [{ id: ids.sender, password: 'sixteen letters or more' }],
		'imports.create': [{ kind: 'domains-and-senders' }],
		'imports.append': [{ id: ids.import, part: 0, text: 'domain\nexample.com\n' }],
		'imports.preview': [{ id: ids.import, only: 'all', ...cursor }],
		'imports.commit': [{ id: ids.import, expectedHash: hash }],
		'imports.discard': [{ id: ids.import }],
		'bounces.list': [{ domainId: ids.domain, ...by('address'), ...cursor }],
		'bounces.create': [{ domainId: ids.domain, localPart: `box${number}`, password: null, notes: 'for replies' }],
		'bounces.update': [{ id: ids.bounce, notes: 'for replies' }],
		'bounces.get': [{ id: ids.bounce }],
		'bounces.remove': [{ id: ids.bounce, deleteMail: true }],
		'bounces.mailbox': [{ id: ids.bounce }],
		'bounces.emptyMailbox': [{ id: ids.bounce, confirm: 0 }],
		'bounces.checkLogin': [{ id: ids.bounce, password: 'twelve or more' }],
		'bounces.setPassword': [{ id: ids.bounce, password: 'twelve or more' }],
		'suppression.list': [{ domainId: ids.domain, reason: 'manual', ...by('address'), ...cursor }],
		'suppression.get': [{ id: ids.suppression }],
		'suppression.check': [{ address: 'gone@example.org', domainId: ids.domain }],
		'suppression.add': [{ address: `gone${number}@example.org`, domainId: ids.domain, note: 'asked by telephone' }],
		'suppression.remove': [{ id: ids.suppression }],
		'suppression.bulk': [
			{
				domainId: ids.domain,
				add: [`gone${number}@example.org`],
				remove: ['never@example.org'],
				reason: 'import',
				note: 'from the old server'
			}
		],
		'suppression.export': [{ domainId: ids.domain, reason: 'manual', ...cursor }],
		'suppression.rules.update': [
			{
				hard: { enabled: true, classes: ['InvalidRecipient'], count: 1, days: 30, scope: 'domain' },
				soft: { enabled: true, classes: ['QuotaIssues'], count: 5, days: 14, expiryDays: 30, scope: 'domain' },
				complaint: { enabled: true, classes: ['abuse'], scope: 'global' }
			}
		],
		'policy.changes': [{ ...change, domain: 'example.com', ...cursor }],
		'policy.changeGroups': [{ ...change, ...cursor }],
		'policy.fileChanges': [
			{ ...ends, path: 'node.toml', ...cursor },
			{ path: 'directory.sqlite', object: { scope: 'domain', key: 'example.com' }, ...cursor }
		],
		'policy.effects': [ends],
		'policy.fileSummary': [ends],
		'policy.driftFile': [{ path: 'init.lua', ...cursor }],
		'policy.apply': [{ expectedHash: hash, ...wishes }],
		'policy.progress': [{ applyId: ids.apply }],
		'policy.revert': [{ applyId: ids.apply }],
		'policy.endWatch': [{ applyId: ids.apply, takeBack: false }],
		'policy.confirm': [{ applyId: ids.apply }],
		'policy.revisions': [{ ...by('number'), ...cursor }],
		'policy.restore': [{ number: 4711, ...wishes }],
		'policy.simulate': [
			{ ...simulated, arrival: { via: 'http', clientAddress: '203.0.113.9', authenticatedAs: 'news@example.com' } },
			simulated
		],
		'policy.routes.list': [{ ...by('name'), ...cursor }],
		'policy.routes.create': [{ name: `Route ${number}`, request: simulated, expectation }],
		'policy.routes.update': [{ id: ids.route, name: 'Stranger', request: simulated, expectation }],
		'policy.routes.remove': [{ id: ids.route }],
		'feedback.list': [
			{
				...by('at'),
				...cursor,
				domainId: ids.domain,
				senderId: ids.sender,
				kind: 'bounce',
				class: 'InvalidRecipient',
				recipient: 'ann@',
				from: 0,
				to: 1
			}
		],
		'feedback.counts': [{ by: 'hour', from: 0, to: 1, domainId: ids.domain, senderId: ids.sender }],
		'feedback.parse': [{ text: 'From: MAILER-DAEMON@example.org\n\n<ann@example.org>: 550 5.1.1 user unknown\n' }],
		'health.run': [{ only: ['panel-exposure'] }],
		'auth.sessions.list': [{ ...by('lastUsedAt'), ...cursor }],
		'audit.list': [{ ...by('at'), ...cursor, actor: 'nobody', action: 'none', target: 'none', outcome: 'ok' }]
	};
}

const simulated = {
	arrival: {
		via: 'smtp',
		listener: 'inbound',
		clientAddress: '203.0.113.9',
		authenticatedAs: 'news@example.com'
	},
	mailFrom: 'news@example.com',
	recipients: ['someone@example.org'],
	headers: [{ name: 'From', value: 'news@example.com' }]
};

const expectation = {
	verdict: 'accepted',
	replyCode: 250,
	rule: 'accepted',
	pool: 'main',
	tenant: 'news.example.com',
	campaign: 'spring',
	queue: 'spring:news.example.com@example.org',
	sources: ['First'],
	signatures: [{ domain: 'example.com', selector: 'k1' }]
};

const validSettings = (poolId: string) => ({
	hostname: 'mta.example.net',
	listeners: [{ address: '192.0.2.1', port: 25, purpose: 'inbound' }],
	relayHosts: ['10.0.0.0/8'],
	relayHostsOverride: ['10.0.0.0/8'],
	tls: { name: 'mta.example.net' },
	defaultPoolId: poolId,
	campaignHeader: 'X-Campaign',
	httpApi: 'credential',
	resolvers: ['192.0.2.53'],
	logs: { directory: '/var/log/kumomta', maxSegmentSeconds: 10, retentionDays: 30 },
	spool: { directory: '/var/spool/kumomta', kind: 'RocksDB', minFreePercent: 10 },
	monitorGlobs: ['/etc/lists/*.txt'],
	ai: { provider: 'openai', baseUrl: 'https://ai.example.net/v1', model: 'large', apiKey: 'key-of-the-provider' }
});
