import { expect, it } from 'vitest';
import { compare, report } from './compare.ts';
import { compareSimulated } from './simulated.ts';

const size = { domains: 10_000, senders: 100_000 };
const seed = Number(process.env.PROOF_SEED ?? 20_261_124);
const promised = 200;
const messages = Number(process.env.PROOF_MESSAGES ?? 5_000);

it('agrees with policy.md about every message', async () => {
	const found = await compare(size, seed, messages);
	process.stdout.write(report(found, seed));
	expect(found.disagreements.slice(0, 5)).toEqual([]);
	expect(found.messages).toBeGreaterThanOrEqual(promised);
	expect([found.domains, found.senders]).toEqual([size.domains, size.senders]);
	// An estate or a generator that lost its variety proves nothing.
	expect(found.rules.size).toBeGreaterThan(40);
}, 600_000);

it('the simulator agrees with it too', async () => {
	const { messages: simulated, disagreements } = await compareSimulated(size, seed, promised);
	process.stdout.write(
		`${simulated} messages simulated, seed ${seed}, ${size.domains} domains, ${size.senders} senders: ${disagreements.length} disagreements\n`
	);
	expect(disagreements.slice(0, 5)).toEqual([]);
	expect(simulated).toBeGreaterThanOrEqual(promised);
}, 600_000);
