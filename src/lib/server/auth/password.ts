import { readFileSync } from 'node:fs';
import { Bcrypt } from 'oslo/password';
import { assetPath } from '../core/assets.ts';
import { hashBcrypt, maxPasswordBytes, passwordBytes, verifyBcrypt } from '../core/bcrypt.ts';
import type { Asker } from '../core/bcrypt.ts';
import { UserError } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';

const cost = 11;
const minCharacters = 12;

/** Compared against when the user does not exist, so that both answers take the same time. Made once per process. */
let dummy: Promise<string> | undefined;

/** Hashes off the event loop; `$2y$` format, cost 11. */
export const hashPassword = (password: Secret): Promise<string> => hashBcrypt(password, cost);

/**
 * Verifies off the event loop, a few at a time. Without a hash (no such user) it takes as long and answers false.
 * @throws UserError TOO_MANY_REQUESTS when more wait than the machine can work off soon.
 */
export async function verifyPassword(hash: string | undefined, password: Secret, asker: Asker): Promise<boolean> {
	const nobody = await (dummy ??= new Bcrypt({ cost }).hash('nobody has this password'));
	return (await verifyBcrypt(hash ?? nobody, password, asker)) && hash !== undefined;
}

/**
 * NIST SP 800-63B 5.1.1.2 as far as it goes without the network: length, a list of common passwords, and not the e-mail.
 * @throws UserError naming the field.
 */
export function assertStrongPassword(password: Secret, { email, field }: { email: string; field: string }): void {
	const text = password.open().normalize('NFKC');
	const refuse = (message: string) => new UserError('BAD_REQUEST', message, { reason: 'weak-password', field });
	if ([...text].length < minCharacters) throw refuse(`At least ${minCharacters} characters.`);
	if (passwordBytes(password) > maxPasswordBytes)
		throw refuse(`At most ${maxPasswordBytes} bytes; letters beyond a to z count as two to four.`);
	const lower = text.toLowerCase();
	if (
		lower === email ||
		lower === email.split('@')[0] ||
		lower.replaceAll(/[^a-z0-9]/g, '') === email.replaceAll(/[^a-z0-9]/g, '')
	)
		throw refuse('The password must not be the e-mail address.');
	if (new Set(lower).size < 5 || commonPasswords().has(lower))
		throw refuse('This password is on every list of guesses. Choose another.');
}

const commonPasswords = () =>
	new Set(readFileSync(assetPath('common-passwords.txt'), 'utf8').split('\n').filter(Boolean));
