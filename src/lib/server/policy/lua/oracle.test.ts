import { expect, it } from 'vitest';
import { attack } from '../../../../../tests/proof/attack.ts';
import { compare, report } from '../../../../../tests/proof/compare.ts';
import { proveReports } from '../../../../../tests/proof/reports.ts';
import { roundTrips } from '../../../../../tests/proof/round-trip.ts';

// Samples of the proofs at full size: `npm run test:proof`.

it('agrees with policy.md about 200 random messages', async () => {
	const seed = 7;
	const found = await compare({ domains: 100, senders: 1000 }, seed, 200);
	expect(found.disagreements.slice(0, 3), report(found, seed)).toEqual([]);
	expect([found.messages, found.senders]).toEqual([200, 1000]);
	expect(found.rules.size).toBeGreaterThan(25);
}, 60_000);

it('reads back equal what the border lets in', () => {
	const { inputs, different, rendered } = roundTrips(7, 2000);
	expect(different).toEqual([]);
	expect([inputs, rendered > 50]).toEqual([2000, true]);
}, 60_000);

it('lets no hostile text become code, and no other key matter', async () => {
	const { probes, accepted, findings } = await attack(7, 500);
	expect(findings).toEqual([]);
	expect([probes, accepted > 20]).toEqual([500, true]);
}, 60_000);

it('reports failures with hostile envelopes to an enabled account of ours or to nobody', async () => {
	const { envelopes, reported, findings } = await proveReports(7, 300);
	expect(findings).toEqual([]);
	expect([envelopes, reported > 15]).toEqual([300, true]);
}, 60_000);
