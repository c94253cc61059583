import type { PolicyInput } from '../../src/lib/server/policy/input.ts';
import { start } from '../../src/lib/server/policy/lua/session.ts';
import { openPolicy } from '../../src/lib/server/policy/lua/vm.ts';
import type { Policy } from '../../src/lib/server/policy/lua/vm.ts';
import { canonical } from './canonical.ts';
import { proofEstate } from './estate.ts';
import type { Decision } from './message.ts';
import { randomProbe } from './probe.ts';
import type { Probe } from './probe.ts';
import { createRandom } from './random.ts';
import { renderRevision, writeKeys } from './revision.ts';
import type { RenderedRevision } from './revision.ts';
import { effects, watch } from './watch.ts';

export interface Attack {
	probes: number;
	/** Virtual machines used: each serves at most 500 probes. */
	machines: number;
	accepted: number;
	refused: number;
	findings: { probe: string; what: string; found?: unknown }[];
}

const perPolicy = 500;

/** Hostile probes at two revisions that differ in keys which no probe names: their answers may not differ. */
export async function attack(seed: number, count: number): Promise<Attack> {
	const random = createRandom(seed);
	const small = proofEstate({ domains: 20, senders: 200 });
	const large = proofEstate({ domains: 300, senders: 3000 });
	const revisions = [small, large].map((input) => rendered(input));
	const result: Attack = { probes: 0, machines: 0, accepted: 0, refused: 0, findings: [] };
	try {
		while (result.probes < count) {
			const probes = Array.from({ length: Math.min(perPolicy, count - result.probes) }, () =>
				randomProbe(random, small)
			);
			await runAll(revisions, probes, result);
		}
	} finally {
		for (const { remove } of revisions) remove();
	}
	return result;
}

function rendered(input: PolicyInput): RenderedRevision {
	const revision = renderRevision(input);
	writeKeys(revision.dkim, input);
	return revision;
}

async function runAll(revisions: RenderedRevision[], probes: Probe[], result: Attack): Promise<void> {
	const policies: Policy[] = [];
	try {
		for (const { directory } of revisions) {
			const policy = await openPolicy(directory);
			policies.push(policy);
			start(policy);
			watch(policy);
		}
		result.machines += policies.length;
		for (const probe of probes) runOne(policies, probe, result);
		policies.forEach((policy, index) => {
			const { directory, dkim } = revisions[index] as RenderedRevision;
			for (const what of effects(policy, { directory, dkim })) result.findings.push({ probe: 'one of 500', what });
		});
	} finally {
		for (const policy of policies) policy.close();
	}
}

function runOne(policies: Policy[], probe: Probe, result: Attack): void {
	const report = (what: string, found?: unknown) => result.findings.push({ probe: probe.name, what, found });
	result.probes += 1;
	const [first, second] = policies.map((policy) => {
		const answer = probe.run(policy);
		policy.clock.seconds += 600;
		return answer;
	});
	const [one, other] = [canonical(first), canonical(second)].map(withoutPaths);
	if (one !== other) report('an unrelated key changed the answer', [first, second]);
	if (!probe.mayFail && isError(first)) report('a Lua error', first);
	if (Array.isArray(first) && first[1] !== true) report('a rebind moved another message', first);
	const { reply, deliveries } = first as Partial<Decision>;
	if (deliveries === undefined || reply === undefined) return;
	if (deliveries.length > 0) result.accepted += 1;
	else result.refused += 1;
	if (!/^[\x20-\x7e]{1,110}$/.test(reply)) report('a reply repeats what a client sent, or is too long', reply);
	for (const { queue, signatures, tenant } of deliveries)
		if (!isOwnQueue(queue) || (tenant !== undefined) !== signatures.length > 0)
			report('a queue or a signature of nobody', first);
}

/** Both revisions lie in directories of their own, and errors name them. */
const withoutPaths = (json: string) => json.replace(/kumomta-ui-proof-[A-Za-z0-9]{6}/g, '');

const isError = (answer: unknown) => {
	const { kind, reply } = (Array.isArray(answer) ? answer[0] : answer) as { kind?: string; reply?: string };
	return (
		kind === 'failed' ||
		(reply !== undefined && (/technical difficulties/.test(reply) || / \(.*\)$/.test(reply) || !/^\d{3} /.test(reply)))
	);
};

const isOwnQueue = (queue: string) =>
	queue === 'null' ||
	/^[a-z0-9]{16}\.mailbox\.internal$/.test(queue) ||
	/^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,63}:)?s\d{6}\.d\d{5}\.example@.*$/su.test(queue);

export const attackReport = ({ probes, machines, accepted, refused, findings }: Attack, seed: number) =>
	`${probes} hostile probes at two directories, seed ${seed}, ${machines} machines of at most ${perPolicy}: ${accepted} messages accepted, ${refused} refused, ${findings.length} findings\n`;
