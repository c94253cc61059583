import { checkNode } from './check-node.ts';
import type { Facts } from './check-node.ts';
import type { PolicyHead, PolicyPool } from './input.ts';
import type { Judgement } from './judge.ts';
import { problem } from './problem.ts';
import type { Problem } from './problem.ts';

export interface CheckContext {
	facts: Facts;
	/** Milliseconds UTC. */
	now: number;
	/** Whether an object works in the live revision; nothing does before the first. */
	isLive: (scope: Problem['scope'], subject: string) => boolean;
	/** Ids of live objects that may drop out. */
	dropping: string[];
}

/** Every problem of an ordered input; `unreadable` are those found while it was parsed. */
export function checkPolicy(
	input: PolicyHead,
	judgement: Judgement,
	{ facts, now, isLive, dropping, unreadable }: CheckContext & { unreadable: Problem[] }
): Problem[] {
	const dropped = new Set(dropping);
	const objects = [...unreadable, ...judgement.problems].map((each) => {
		if (each.severity !== 'error' || each.blocks || each.subject === undefined) return each;
		if ((each.id !== undefined && dropped.has(each.id)) || !isLive(each.scope, each.subject)) return each;
		return {
			...each,
			blocks: true,
			message: `${each.message} It is live now and would drop out: confirm that when you apply, or mend it first.`
		};
	});
	return [
		...checkNode(input, { facts, now, senderCount: judgement.senderCount }),
		...checkSources(input, facts),
		...checkPools(input, judgement.usedPools),
		...objects
	];
}

function* checkSources({ sources }: PolicyHead, { addresses }: Facts): Generator<Problem> {
	const seen = new Set<string>();
	const own = addresses === undefined ? undefined : new Set(addresses);
	for (const { id, name, kumoName, address } of sources) {
		const report = (severity: Problem['severity'], code: string, message: string, field: string) =>
			problem({ severity, scope: 'source', id, subject: name, code, message, field });
		if (seen.has(kumoName)) {
			const message = `The source ${name} has the address and EHLO name of another one. Nothing is applied. Change one of them.`;
			yield report('error', 'duplicate-source', message, 'address');
		}
		seen.add(kumoName);
		if (own !== undefined && !own.has(address)) {
			const message = `The address ${address} of source ${name} is not set up on this server. Mail through it will wait. Add the address to a network interface.`;
			yield report('warning', 'address-not-here', message, 'address');
		}
	}
}

/** A pool in use must be able to send: KumoMTA's own validation says nothing about unknown sources. */
function* checkPools({ settings, sources, pools, tombstones }: PolicyHead, used: Set<string>): Generator<Problem> {
	const known = new Set(sources.map(({ id }) => id));
	const names = new Set<string>();
	const removed = new Set(tombstones.pools);
	for (const pool of pools) {
		const isUsed = used.has(pool.id) || pool.name === settings.defaultPool;
		const reason = poolFault(pool, known);
		const report = (severity: Problem['severity'], code: string, message: string, field = 'name') =>
			problem({ severity, scope: 'pool', id: pool.id, subject: pool.name, code, message, field });
		if (reason !== undefined) {
			const consequence = isUsed ? 'It is in use, so nothing is applied.' : 'Nobody uses it yet.';
			const message = `${reason.message} ${consequence} ${reason.advice}`;
			yield report(isUsed ? 'error' : 'warning', reason.code, message, 'sources');
		}
		if (names.has(pool.name))
			yield report('error', 'duplicate-pool', `Two pools are called ${pool.name}. Nothing is applied. Rename one.`);
		names.add(pool.name);
		if (removed.has(pool.name))
			yield report(
				'warning',
				'pool-name-returned',
				`A removed pool was called ${pool.name} too. Mail that still waits for it will now leave through this one.`
			);
	}
}

function poolFault({ name, entries }: PolicyPool, known: Set<string>) {
	if (entries.some(({ sourceId }) => !known.has(sourceId)))
		return {
			code: 'unknown-source',
			message: `The pool ${name} names a source that does not exist.`,
			advice: 'Remove it from the pool.'
		};
	if (entries.some(({ weight }) => weight > 0)) return undefined;
	return {
		code: 'empty-pool',
		message: `The pool ${name} has no source with a weight above 0: its mail would wait.`,
		advice: 'Add a source.'
	};
}
