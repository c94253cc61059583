import { afterAll, afterEach } from 'vitest';
import { writeSuppression } from '../../../../../tests/support/suppression-files.ts';
import type { SuppressionFiles } from '../../../../../tests/support/suppression-files.ts';
import { buildRevision, verifierFor } from './revision.ts';
import { openSession, start } from './session.ts';
import { openPolicy } from './vm.ts';
import type { Header, World } from './host.ts';
import type { BuiltRevision, RevisionRows } from './revision.ts';
import type { Session } from './session.ts';
import type { Policy } from './vm.ts';

/** A generated password has 192 bits and one iteration; a chosen one has 4,096. */
export const generated = 'xkQ2v8mN4pLr7sTw9yBz3cFh6jKd5gAe';
export const chosen = 'correct horse battery';
export const stranger = '203.0.113.5';
export const relayHost = '192.0.2.5';

const key = { selector: 's1', algorithm: 'rsa-2048' };
const sender = { pool: 'main', status: 'enabled' as const, from: 'address' as const };

export const rows: RevisionRows = {
	domain: {
		'example.com': {
			id: 'd1',
			name: 'example.com',
			bounceHost: 'bounce.example.com',
			anyReturnPath: true,
			complaint: 'fbl@bounce.example.com',
			keys: [key, { selector: 's2', algorithm: 'ed25519' }],
			domainSender: 'all@example.com',
			ready: true
		},
		'strict.example': {
			id: 'd2',
			name: 'strict.example',
			bounceHost: 'b.strict.example',
			anyReturnPath: false,
			complaint: 'fbl@b.strict.example',
			keys: [key],
			ready: true
		},
		'late.example': {
			id: 'd3',
			name: 'late.example',
			bounceHost: 'b.late.example',
			anyReturnPath: true,
			keys: [],
			ready: false,
			reason: 'no active DKIM key'
		},
		'keyless.example': {
			id: 'd4',
			name: 'keyless.example',
			bounceHost: 'b.keyless.example',
			anyReturnPath: true,
			keys: [{ selector: 'lost', algorithm: 'rsa-2048' }],
			ready: true
		}
	},
	bounce_host: {
		'bounce.example.com': { domain: 'example.com' },
		'b.strict.example': { domain: 'strict.example' },
		'b.late.example': { domain: 'late.example' }
	},
	sender: {
		'news@example.com': {
			...sender,
			id: 's1',
			domain: 'example.com',
			tenant: 'news.example.com',
			...verifierFor(generated, 1)
		},
		'all@example.com': {
			...sender,
			id: 's2',
			domain: 'example.com',
			tenant: 'all.example.com',
			from: 'domain',
			...verifierFor(chosen, 4096)
		},
		'paused@example.com': {
			...sender,
			id: 's3',
			domain: 'example.com',
			tenant: 'paused.example.com',
			status: 'paused',
			...verifierFor(generated, 1)
		},
		'mute@example.com': { ...sender, id: 's4', domain: 'example.com', tenant: 'mute.example.com' },
		'me@strict.example': {
			...sender,
			id: 's5',
			domain: 'strict.example',
			tenant: 'me.strict.example',
			...verifierFor(generated, 1)
		},
		'me@late.example': {
			...sender,
			id: 's6',
			domain: 'late.example',
			tenant: 'me.late.example',
			...verifierFor(generated, 1)
		},
		'me@keyless.example': {
			...sender,
			id: 's7',
			domain: 'keyless.example',
			tenant: 'me.keyless.example',
			...verifierFor(generated, 1)
		}
	},
	tenant: {
		'news.example.com': { pool: 'main', sender: 'news@example.com', rate: '2/h', retry: 300, maxAge: 86_400 },
		'all.example.com': { pool: 'main', sender: 'all@example.com' },
		'removed.example.com': { pool: 'gone' }
	},
	mailbox: {
		'bounces@b.strict.example': { id: 'mailbox000000001' },
		'desk@bounce.example.com': { id: 'mailbox000000002' }
	}
};

/** Sends nothing to the lists' addresses, and reports failures. */
export const switchedOn: RevisionRows = {
	...rows,
	domain: Object.fromEntries(
		Object.entries(rows.domain ?? {}).map(([name, value]) => [name, { ...value, reports: true, suppression: true }])
	)
};

const opened: { policy: Policy; built: BuiltRevision }[] = [];

function closeAll(): void {
	for (const { policy, built } of opened.splice(0)) {
		policy.close();
		built.remove();
	}
}

/** Opens a started revision in a Lua of its own; everything is closed after each test. */
export async function policyWith(
	options: {
		node?: Record<string, unknown>;
		custom?: string;
		rows?: RevisionRows;
		world?: World;
		suppression?: SuppressionFiles;
	} = {}
): Promise<Policy> {
	const built = buildRevision({
		rows: options.rows ?? rows,
		...(options.node === undefined ? {} : { node: options.node }),
		...(options.custom === undefined ? {} : { custom: options.custom }),
		keys: ['example.com/s1', 'example.com/s2', 'strict.example/s1']
	});
	if (options.suppression !== undefined) writeSuppression(built.suppressionRoot, options.suppression);
	const policy = await openPolicy(built.directory, options.world ?? {}).catch((error: unknown) => {
		built.remove();
		throw error;
	});
	opened.push({ policy, built });
	start(policy);
	return policy;
}

/** Where the suppression files of a policy lie. */
export function suppressionRootOf(policy: Policy): string {
	const found = opened.find((each) => each.policy === policy);
	if (found === undefined) throw new Error('This policy was not opened here.');
	return found.built.suppressionRoot;
}

afterEach(closeAll);
afterAll(closeAll);

export const submission = (policy: Policy, peer = stranger) => openSession(policy, { listener: 'submission', peer });
export const inbound = (policy: Policy, peer = stranger) => openSession(policy, { listener: 'inbound', peer });
export const relay = (policy: Policy, peer = relayHost) => openSession(policy, { listener: 'relay', peer });

export function loggedIn(policy: Policy, user = 'news@example.com', password = generated): Session {
	const session = submission(policy);
	const { code, text, error } = session.auth(user, password);
	if (code !== 235) throw new Error(`AUTH answered ${code} ${text} ${error ?? ''}`);
	return session;
}

export const from = (value: string, ...more: Header[]): Header[] => [['From', value], ['Subject', 'hello'], ...more];
export const answer = ({ code, text }: { code: number; text: string }) => `${code} ${text}`;
