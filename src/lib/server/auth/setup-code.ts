import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { App } from '../app.ts';
import { createWholeFile } from '../core/key-files.ts';
import type { Secret } from '../core/secret.ts';
import { users } from './tables.ts';

const fileOf = (app: App) => join(app.env.dataDir, 'setup-code');

/** Whether the first account is still to be made. */
export async function isSetupRequired(app: App): Promise<boolean> {
	const [user] = await app.db.select({ id: users.id }).from(users).limit(1);
	return user === undefined;
}

/**
 * The one-time code (128 bits, groups of four) that the first registration must show: whoever can read the data
 * directory of the server. Made once, kept in `<DATA_DIR>/setup-code` (0600) until used.
 * @returns null when an account exists.
 */
export async function prepareSetupCode(app: App): Promise<{ code: string; file: string } | null> {
	const file = fileOf(app);
	if (!(await isSetupRequired(app))) {
		rmSync(file, { force: true });
		return null;
	}
	const kept = readCode(file);
	if (kept !== undefined) return { code: kept, file };
	rmSync(file, { force: true });
	createWholeFile(file, newCode() + '\n');
	return { code: readFileSync(file, 'utf8').trim(), file };
}

export function isSetupCode(app: App, given: Secret): boolean {
	const kept = readCode(fileOf(app));
	return kept !== undefined && timingSafeEqual(digest(kept), digest(given.open()));
}

/** The kept code; undefined when there is no file, or one that a full disk left empty or cut off: that opens nothing. */
function readCode(file: string): string | undefined {
	try {
		const code = readFileSync(file, 'utf8').trim();
		return digits(code).length === 32 ? code : undefined;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
		throw error;
	}
}

export function removeSetupCode(app: App): void {
	rmSync(fileOf(app), { force: true });
}

function newCode(): string {
	return (randomBytes(16).toString('hex').match(/.{4}/g) ?? []).join('-');
}

/** Spaces, dashes and letter case do not matter: the code is typed off a terminal. */
const digits = (code: string) => code.toLowerCase().replaceAll(/[^0-9a-f]/g, '');

const digest = (code: string) => createHash('sha256').update(digits(code)).digest();
