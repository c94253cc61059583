import { pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { Secret } from '../core/secret.ts';

const derive = promisify(pbkdf2);

/** 192 random bits need no stretching: KumoMTA then verifies with one hash. */
const generatedIterations = 1;
/** The most that the Lua program can afford for each new connection. */
const chosenIterations = 4096;

/** The columns of a stored password: PBKDF2-HMAC-SHA256 (RFC 8018 5.2), lower-case hex. */
export interface Credential {
	passwordSalt: string | null;
	passwordVerifier: string | null;
	passwordIterations: number | null;
	passwordGenerated: boolean | null;
	passwordSetAt: number | null;
}

export const noCredential: Credential = {
	passwordSalt: null,
	passwordVerifier: null,
	passwordIterations: null,
	passwordGenerated: null,
	passwordSetAt: null
};

/**
 * What is stored for a password; `null` stores none, `undefined` makes one. Hashes outside the event loop.
 * @returns `generated` only when it was made here: the one chance to show it.
 */
export async function createCredential(
	password: Secret | null | undefined,
	now: number
): Promise<{ columns: Credential; generated?: Secret }> {
	if (password === null) return { columns: noCredential };
	if (password !== undefined) return { columns: await columnsOf(password, chosenIterations, now) };
	const generated = new Secret(randomBytes(24).toString('base64url'));
	return { columns: await columnsOf(generated, generatedIterations, now), generated };
}

async function columnsOf(password: Secret, iterations: number, now: number): Promise<Credential> {
	const salt = randomBytes(16);
	const verifier = await derive(password.open(), salt, iterations, 32, 'sha256');
	return {
		passwordSalt: salt.toString('hex'),
		passwordVerifier: verifier.toString('hex'),
		passwordIterations: iterations,
		passwordGenerated: iterations === generatedIterations,
		passwordSetAt: now
	};
}
