import { Bcrypt } from 'oslo/password';
import { UserError } from './errors.ts';
import type { Secret } from './secret.ts';

/** bcrypt reads 72 bytes and silently ignores the rest: a longer password is refused, never cut. */
export const maxPasswordBytes = 72;

/** How long a password is to bcrypt, which reads its NFKC form as UTF-8. */
export const passwordBytes = (password: Secret) => Buffer.byteLength(password.open().normalize('NFKC'));

/**
 * Hashes off the event loop, `$2y$` format; each step of the cost doubles the time.
 * @throws UserError TOO_MANY_REQUESTS when more wait than the machine can work off soon.
 */
export function hashBcrypt(password: Secret, cost: number): Promise<string> {
	return turn(() => new Bcrypt({ cost }).hash(password.open()), 'known');
}

/** Who waits for a turn: a stranger may be sent away, and somebody known goes before all strangers. */
export type Asker = 'known' | 'stranger';

/** Verifies off the event loop, at the hash's own cost. A password beyond 72 bytes takes as long and is wrong. */
export async function verifyBcrypt(hash: string, password: Secret, asker: Asker = 'stranger'): Promise<boolean> {
	const matches = await turn(() => new Bcrypt().verify(hash, password.open()), asker);
	return matches && passwordBytes(password) <= maxPasswordBytes;
}

const atOnce = 2;
const mayWait = 32;
const waiting: Record<Asker, (() => void)[]> = { known: [], stranger: [] };
let busy = 0;

/**
 * Two cores hash two passwords at a time; the rest wait, and a crowd of strangers is sent away, so that it can neither
 * fill the memory nor keep the operator out.
 */
async function turn<T>(work: () => Promise<T>, asker: Asker): Promise<T> {
	if (busy >= atOnce) {
		if (asker === 'stranger' && waiting.stranger.length >= mayWait)
			throw new UserError(
				'TOO_MANY_REQUESTS',
				'Too many passwords are being checked at this moment. Nothing was changed. Try again in a few seconds.',
				{ reason: 'busy', retryAfterMs: 5000 }
			);
		await new Promise<void>((resolve) => waiting[asker].push(resolve));
	}
	busy += 1;
	try {
		return await work();
	} finally {
		busy -= 1;
		(waiting.known.shift() ?? waiting.stranger.shift())?.();
	}
}
