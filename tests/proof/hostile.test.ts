import { expect, it } from 'vitest';
import { attack, attackReport } from './attack.ts';
import { fields } from './fields.ts';
import { proveReports, reportProofText } from './reports.ts';
import { roundTrips } from './round-trip.ts';

const seed = Number(process.env.PROOF_SEED ?? 20_261_124);

it('renders what is let in so that it reads back equal, and refuses the rest', () => {
	const { inputs, refused, rendered, open, different } = roundTrips(seed, 100_000);
	process.stdout.write(
		`${inputs} hostile inputs in ${fields.length} fields, seed ${seed}: ${refused} refused, ${rendered} rendered and read back, ${different.length} different; open to some: ${[...open].sort().join(' ')}\n`
	);
	expect(different.slice(0, 5)).toEqual([]);
	expect(inputs).toBeGreaterThanOrEqual(100_000);
	expect(refused + rendered).toBe(inputs);
	expect(rendered).toBeGreaterThan(4000);
}, 1_200_000);

it('lets no hostile text of a client become code, and no other key matter', async () => {
	const found = await attack(seed, 20_000);
	process.stdout.write(attackReport(found, seed));
	expect(found.findings.slice(0, 5)).toEqual([]);
	expect(found.probes).toBeGreaterThanOrEqual(20_000);
	expect(found.accepted).toBeGreaterThan(500);
}, 1_200_000);

it('reports a failure in delivery to an enabled account of ours or to nobody', async () => {
	const found = await proveReports(seed, 5000);
	process.stdout.write(reportProofText(found, seed));
	expect(found.findings.slice(0, 5)).toEqual([]);
	expect(found.envelopes).toBe(5000);
	expect(found.reported).toBeGreaterThan(250);
}, 1_200_000);
