import { readFileSync } from 'node:fs';
import { Bcrypt } from 'oslo/password';
import { assetPath } from '../core/assets.ts';
import { UserError } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';

const cost = 11;
const bcrypt = new Bcrypt({ cost });

/** bcrypt reads 72 bytes and silently ignores the rest: a longer password is refused, never cut. */
const maxBytes = 72;
const minCharacters = 12;

/** Compared against when the user does not exist, so that both answers take the same time. Made once per process. */
let dummy: Promise<string> | undefined;

/** Hashes off the event loop; `$2y$` format, cost 11. */
export const hashPassword = (password: Secret): Promise<string> => turn(() => bcrypt.hash(password.open()));

/**
 * Verifies off the event loop, a few at a time. Without a hash (no such user) it takes as long and answers false.
 * @throws UserError TOO_MANY_REQUESTS when more wait than the machine can work off soon.
 */
export async function verifyPassword(hash: string | undefined, password: Secret): Promise<boolean> {
	const against = hash ?? (await (dummy ??= bcrypt.hash('nobody has this password')));
	const matches = await turn(() => bcrypt.verify(against, password.open()));
	return hash !== undefined && matches && bytesOf(password) <= maxBytes;
}

/**
 * NIST SP 800-63B 5.1.1.2 as far as it goes without the network: length, a list of common passwords, and not the e-mail.
 * @throws UserError naming the field.
 */
export function assertStrongPassword(password: Secret, { email, field }: { email: string; field: string }): void {
	const text = password.open().normalize('NFKC');
	const refuse = (message: string) => new UserError('BAD_REQUEST', message, { reason: 'weak-password', field });
	if ([...text].length < minCharacters) throw refuse(`At least ${minCharacters} characters.`);
	if (bytesOf(password) > maxBytes)
		throw refuse(`At most ${maxBytes} bytes; letters beyond a to z count as two to four.`);
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

const bytesOf = (password: Secret) => Buffer.byteLength(password.open().normalize('NFKC'));

const commonPasswords = () =>
	new Set(readFileSync(assetPath('common-passwords.txt'), 'utf8').split('\n').filter(Boolean));

const atOnce = 2;
const mayWait = 32;
const waiting: (() => void)[] = [];
let busy = 0;

/** Two cores hash two passwords at a time; the rest wait, and a crowd is sent away. */
async function turn<T>(work: () => Promise<T>): Promise<T> {
	if (busy >= atOnce) {
		if (waiting.length >= mayWait)
			throw new UserError(
				'TOO_MANY_REQUESTS',
				'Too many people are signing in at this moment. Try again in a few seconds.',
				{ reason: 'busy', retryAfterMs: 5000 }
			);
		await new Promise<void>((resolve) => waiting.push(resolve));
	}
	busy += 1;
	try {
		return await work();
	} finally {
		busy -= 1;
		waiting.shift()?.();
	}
}
