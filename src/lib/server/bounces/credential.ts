import { randomBytes } from 'node:crypto';
import { hashBcrypt } from '../core/bcrypt.ts';
import { Secret } from '../core/secret.ts';

/** Dovecot verifies it at every login of a mail program. */
const cost = 10;

export interface Credential {
	passwordHash: string | null;
	passwordGenerated: boolean | null;
	passwordSetAt: number | null;
}

/**
 * What is stored for a password; `null` stores none, `undefined` makes one (192 random bits). Hashes outside the event
 * loop.
 * @returns `generated` only when it was made here: the one chance to show it.
 */
export async function createCredential(
	password: Secret | null | undefined,
	now: number
): Promise<{ columns: Credential; generated?: Secret }> {
	if (password === null) return { columns: { passwordHash: null, passwordGenerated: null, passwordSetAt: null } };
	const generated = password === undefined ? new Secret(randomBytes(24).toString('base64url')) : undefined;
	const passwordHash = await hashBcrypt(password ?? generated!, cost);
	const columns = { passwordHash, passwordGenerated: generated !== undefined, passwordSetAt: now };
	return { columns, ...(generated && { generated }) };
}
