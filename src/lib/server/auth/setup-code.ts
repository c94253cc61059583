import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { App } from '../app.ts';
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
	if (!existsSync(file)) writeFileSync(file, newCode() + '\n', { mode: 0o600, flag: 'wx' });
	return { code: readFileSync(file, 'utf8').trim(), file };
}

export function isSetupCode(app: App, given: Secret): boolean {
	const file = fileOf(app);
	if (!existsSync(file)) return false;
	return timingSafeEqual(digest(readFileSync(file, 'utf8')), digest(given.open()));
}

export function removeSetupCode(app: App): void {
	rmSync(fileOf(app), { force: true });
}

function newCode(): string {
	return (randomBytes(16).toString('hex').match(/.{4}/g) ?? []).join('-');
}

/** Spaces, dashes and letter case do not matter: the code is typed off a terminal. */
function digest(code: string): Buffer {
	return createHash('sha256')
		.update(code.toLowerCase().replaceAll(/[^0-9a-f]/g, ''))
		.digest();
}
