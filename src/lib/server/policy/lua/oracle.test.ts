import { expect, it } from 'vitest';
import { compare, report } from '../../../../../tests/proof/compare.ts';

/** A sample of the proof at full size, `npm run test:proof`. */
it('agrees with policy.md about 200 random messages', async () => {
	const seed = 7;
	const found = await compare({ domains: 100, senders: 1000 }, seed, 200);
	expect(found.disagreements.slice(0, 3), report(found, seed)).toEqual([]);
	expect([found.messages, found.senders]).toEqual([200, 1000]);
	expect(found.rules.size).toBeGreaterThan(25);
}, 60_000);
