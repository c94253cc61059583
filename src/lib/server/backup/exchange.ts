import {
	closeSync,
	existsSync,
	fsyncSync,
	mkdirSync,
	openSync,
	readFileSync,
	renameSync,
	rmSync,
	writeFileSync
} from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { giveToOwnerOf } from '../core/data-owner.ts';
import type { FaultPoint } from '../host/files.ts';

/**
 * Puts many files in place as if it were one step. The plan is on disk before the first rename and goes after the last:
 * while it is there the exchange has not happened, and `undoExchange` puts every old file back. Each step may be cut off
 * anywhere and undone more than once.
 */
const planShape = z.strictObject({
	steps: z.array(
		z.strictObject({
			/** Absent: nothing takes the place of the old file. */
			staged: z.string().optional(),
			target: z.string(),
			kept: z.string()
		})
	),
	staging: z.array(z.string())
});
export type Plan = z.infer<typeof planShape>;

const planFile = (dataDir: string) => join(dataDir, '.restore-plan.json');

export async function exchange(dataDir: string, plan: Plan, faultPoint: FaultPoint): Promise<void> {
	const path = planFile(dataDir);
	writeFileSync(`${path}.new`, JSON.stringify(plan), { mode: 0o600, flush: true });
	giveToOwnerOf(dataDir, `${path}.new`);
	await faultPoint('restore.before-plan');
	renameSync(`${path}.new`, path);
	syncDirectory(dataDir);
	try {
		for (const [index, { staged, target, kept }] of plan.steps.entries()) {
			await faultPoint(`restore.keep ${index}`);
			if (existsSync(target)) move(target, kept);
			await faultPoint(`restore.place ${index}`);
			if (staged !== undefined) move(staged, target);
		}
		await faultPoint('restore.before-commit');
	} catch (error) {
		undoExchange(dataDir);
		throw error;
	}
	rmSync(path);
	syncDirectory(dataDir);
}

/** Brings back what an exchange that was cut off had moved. @returns whether there was one. */
export function undoExchange(dataDir: string): boolean {
	const path = planFile(dataDir);
	if (!existsSync(path)) return false;
	const { steps, staging } = planShape.parse(JSON.parse(readFileSync(path, 'utf8')));
	for (const { staged, target, kept } of steps.toReversed()) {
		if (staged !== undefined && !existsSync(staged) && existsSync(target)) move(target, staged);
		if (existsSync(kept) && !existsSync(target)) move(kept, target);
	}
	rmSync(path);
	syncDirectory(dataDir);
	for (const directory of staging) rmSync(directory, { recursive: true, force: true });
	return true;
}

function move(from: string, to: string): void {
	mkdirSync(dirname(to), { recursive: true, mode: 0o750 });
	renameSync(from, to);
	syncDirectory(dirname(to));
	if (dirname(from) !== dirname(to)) syncDirectory(dirname(from));
}

function syncDirectory(path: string): void {
	const directory = openSync(path, 'r');
	try {
		fsyncSync(directory);
	} finally {
		closeSync(directory);
	}
}
