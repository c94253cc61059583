import type { PolicyInput } from '../../src/lib/server/policy/input.ts';
import { start } from '../../src/lib/server/policy/lua/session.ts';
import { openPolicy } from '../../src/lib/server/policy/lua/vm.ts';
import type { Policy } from '../../src/lib/server/policy/lua/vm.ts';
import type { EstateSize } from '../support/estate.ts';
import { proofEstate } from './estate.ts';
import type { Arriving, Decision, Expectation } from './message.ts';
import { randomMessage } from './messages.ts';
import { createOracle } from './oracle.ts';
import { play } from './play.ts';
import { createRandom } from './random.ts';
import { renderRevision, writeKeys } from './revision.ts';

export interface Comparison {
	messages: number;
	domains: number;
	senders: number;
	/** How many messages each rule decided. */
	rules: Map<string, number>;
	disagreements: { message: Arriving; expected: unknown; found: Decision }[];
}

/** A wasm Lua serves this many messages, then a new one begins. */
const perPolicy = 500;

/** Random messages through the program over a rendered estate, each against the oracle. */
export async function compare(size: EstateSize, seed: number, messages: number): Promise<Comparison> {
	const input = proofEstate(size);
	const revision = renderRevision(input);
	try {
		writeKeys(revision.dkim, input);
		return await compareOver(input, revision.directory, createRandom(seed), messages);
	} finally {
		revision.remove();
	}
}

async function compareOver(
	input: PolicyInput,
	directory: string,
	random: ReturnType<typeof createRandom>,
	messages: number
): Promise<Comparison> {
	const oracle = createOracle(input);
	const { domains, senders } = input;
	const comparison: Comparison = {
		messages: 0,
		domains: domains.length,
		senders: senders.length,
		rules: new Map(),
		disagreements: []
	};
	for (let done = 0; done < messages; done += perPolicy) {
		const policy = await openPolicy(directory);
		try {
			start(policy);
			for (let index = done; index < Math.min(messages, done + perPolicy); index += 1)
				compareOne(policy, randomMessage(random, input), oracle, comparison);
		} finally {
			policy.close();
		}
	}
	return comparison;
}

function compareOne(
	policy: Policy,
	message: Arriving,
	oracle: ReturnType<typeof createOracle>,
	comparison: Comparison
): void {
	const expected = oracle(message);
	const found = play(policy, message);
	// Past every throttle of AUTH: they have tests of their own.
	policy.clock.seconds += 600;
	comparison.messages += 1;
	comparison.rules.set(expected.rule, (comparison.rules.get(expected.rule) ?? 0) + 1);
	const agrees = expected.reply.test(found.reply) && outcome(expected) === outcome(found);
	if (!agrees) comparison.disagreements.push({ message, expected: { ...expected, reply: `${expected.reply}` }, found });
}

const outcome = ({ refused, deliveries }: Decision | Expectation) =>
	JSON.stringify([refused, deliveries.map((each) => Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))]);

export function report({ messages, domains, senders, rules, disagreements }: Comparison, seed: number): string {
	const counts = [...rules].sort(([a], [b]) => (a < b ? -1 : 1)).map(([rule, count]) => `${count} × ${rule}`);
	return `${messages} messages, seed ${seed}, ${domains} domains, ${senders} senders: ${disagreements.length} disagreements\n${counts.join('; ')}\n`;
}
