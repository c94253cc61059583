import type { z } from 'zod';
import {
	policyDkimKey,
	policyDomain,
	policyMailbox,
	policyPool,
	policySender,
	policySettings,
	policySource,
	policyTombstones
} from './input.ts';
import type { PolicyHead, PolicySender } from './input.ts';
import { problem } from './problem.ts';
import type { Problem, ProblemScope } from './problem.ts';

export type PageKind =
	| 'settings'
	| 'source'
	| 'pool'
	| 'pool_source'
	| 'removed_pool'
	| 'domain'
	| 'dkim_key'
	| 'sender'
	| 'removed_sender'
	| 'mailbox';

/** Cells of one row as JSON brought them; what they are is decided by zod. */
type Cells = unknown[];
type RawPool = { id: unknown; name: unknown; entries: { sourceId: unknown; weight: unknown }[] };

const units: Record<string, string> = { perSecond: 'second', perMinute: 'minute', perHour: 'hour', perDay: 'day' };
const isSet = (cell: unknown) => cell === 1 || cell === true;

/**
 * Turns pages of the database into the parts of a PolicyInput, parsed by zod row by row: one damaged row is a problem of
 * that object and not of all others. Settings, sources and pools that cannot be read block. Senders come last and are
 * passed on one by one.
 */
export function createParser(passSender: (sender: PolicySender) => void) {
	const problems: Problem[] = [];
	const pools = new Map<unknown, RawPool>();
	let settings: Cells | undefined;
	const head: Omit<PolicyHead, 'settings' | 'pools'> = {
		sources: [],
		domains: [],
		dkimKeys: [],
		mailboxes: [],
		tombstones: { senders: [], pools: [] }
	};

	const passing = { push: passSender };

	function keep<T>(
		schema: z.ZodType<T>,
		items: { push: (item: T) => unknown },
		raw: unknown,
		[scope, id, subject]: [ProblemScope, unknown, unknown]
	) {
		const parsed = schema.safeParse(raw);
		if (parsed.success) items.push(parsed.data);
		else problems.push(unreadable(parsed.error, scope, id, subject));
	}

	function add(kind: PageKind, cells: Cells): void {
		const [a, b, c, d, e, f, g] = cells;
		switch (kind) {
			case 'settings':
				settings = cells;
				return;
			case 'source':
				return keep(policySource, head.sources, { id: b, name: c, kumoName: e, address: a, ehloDomain: d }, [
					'source',
					b,
					c
				]);
			case 'pool':
				return void pools.set(b, { id: b, name: a, entries: [] });
			case 'pool_source':
				return void pools.get(b)?.entries.push({ sourceId: c, weight: d });
			case 'removed_pool':
				return keep(policyTombstones.shape.pools.element, head.tombstones.pools, a, ['pool', undefined, a]);
			case 'domain': {
				const raw = {
					id: b,
					name: a,
					bounceHost: c,
					acceptAnyReturnPath: isSet(d),
					reportFailures: isSet(f),
					suppression: isSet(g),
					complaintAddress: e
				};
				return keep(policyDomain, head.domains, raw, ['domain', b, a]);
			}
			case 'dkim_key': {
				if (e !== 'active') return;
				const raw = { id: a, domainId: b, selector: c, algorithm: d, state: e, privateKeyHash: f };
				return keep(policyDkimKey, head.dkimKeys, raw, ['domain', b, undefined]);
			}
			case 'sender':
				return keep(policySender, passing, senderOf(cells), ['sender', b, a]);
			case 'removed_sender':
				return keep(policyTombstones.shape.senders.element, head.tombstones.senders, { tenant: a, pool: b }, [
					'sender',
					undefined,
					undefined
				]);
			case 'mailbox': {
				const login = e === null ? null : { hash: e, quotaBytes: f };
				const raw = { id: b, domainId: c, address: a, enabled: isSet(d), login };
				return keep(policyMailbox, head.mailboxes, raw, ['bounce-account', b, a]);
			}
		}
	}

	return {
		add(kind: PageKind, json: string): void {
			for (const cells of JSON.parse(json) as Cells[]) add(kind, cells);
		},
		problems,
		/** Everything but the senders. @throws UnreadablePolicy when settings cannot be read: nothing can be made then. */
		head(): PolicyHead {
			const parsedPools: PolicyHead['pools'] = [];
			for (const pool of pools.values()) keep(policyPool, parsedPools, pool, ['pool', pool.id, pool.name]);
			const parsed = policySettings.safeParse(settingsOf(settings ?? [], pools));
			if (!parsed.success) throw new UnreadablePolicy(unreadable(parsed.error, 'node', undefined, undefined));
			return { settings: parsed.data, pools: parsedPools, ...head };
		}
	};
}

export class UnreadablePolicy extends Error {
	override name = 'UnreadablePolicy';
	readonly problem: Problem;

	constructor(problem: Problem) {
		super(problem.message);
		this.problem = problem;
	}
}

/** Names the field, never the value: it may be anything. */
function unreadable(error: z.ZodError, scope: ProblemScope, id: unknown, subject: unknown): Problem {
	const field = error.issues[0]?.path.join('.');
	const name = typeof subject === 'string' ? subject.slice(0, 254).replaceAll(/[^\x20-\x7e]/g, '?') : undefined;
	const what = scope === 'node' ? 'The settings' : `The ${scope.replace('-', ' ')} ${name ?? ''}`.trimEnd();
	const consequence = ['domain', 'sender', 'bounce-account'].includes(scope) ? 'It stays out.' : 'Nothing is applied.';
	return problem({
		severity: 'error',
		scope,
		...(typeof id === 'string' && { id }),
		...(name !== undefined && { subject: name }),
		...(field && { field }),
		code: 'unreadable',
		message: `${what} cannot be used as stored${field ? ` (${field})` : ''}. ${consequence} Save it again.`
	});
}

function senderOf(cells: Cells) {
	const [
		address,
		id,
		domainId,
		tenant,
		poolId,
		fromPolicy,
		status,
		count,
		unit,
		retry,
		maxAge,
		salt,
		hash,
		iterations
	] = cells;
	return {
		id,
		domainId,
		address,
		tenant,
		poolId,
		fromPolicy,
		status,
		limit: count === null ? null : { count, unit: units[String(unit)] },
		retryIntervalSeconds: retry,
		maxAgeSeconds: maxAge,
		verifier: hash === null ? null : { salt, hash, iterations }
	};
}

function settingsOf(cells: Cells, pools: Map<unknown, RawPool>) {
	const [hostname, listeners, relayHosts, relayHostsOverride, tlsName, defaultPoolId, campaignHeader, httpApi] = cells;
	const [httpApiVerifier, logs, spool, monitorGlobs] = cells.slice(8);
	return {
		hostname,
		listeners,
		relayHosts,
		relayHostsOverride,
		tlsName,
		defaultPool: defaultPoolId === null ? null : pools.get(defaultPoolId)?.name,
		campaignHeader,
		httpApi,
		httpApiVerifier,
		logs,
		spool,
		monitorGlobs
	};
}
