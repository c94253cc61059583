import { createHash, createPrivateKey, createPublicKey, generateKeyPair, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { UserError } from '../core/errors.ts';
import { Secret } from '../core/secret.ts';

type Algorithm = 'rsa-2048' | 'rsa-4096' | 'ed25519';

export interface KeyMaterial {
	algorithm: Algorithm;
	/** PKCS#8 PEM, as it is written to disk. */
	privateKey: Secret;
	/** Hex SHA-256 of that PEM. */
	privateKeyHash: string;
	/** Base64 as it stands in `p=`. */
	publicKey: string;
}

const generate = promisify(generateKeyPair);

/** A new key, made outside the event loop. */
export async function generateKeyMaterial(algorithm: Algorithm): Promise<KeyMaterial> {
	if (algorithm === 'ed25519') return materialOf(algorithm, (await generate('ed25519')).privateKey);
	const modulusLength = algorithm === 'rsa-2048' ? 2048 : 4096;
	return materialOf(algorithm, (await generate('rsa', { modulusLength, publicExponent: 65_537 })).privateKey);
}

/**
 * A key that the operator brings, normalised to PKCS#8 and proven by a signature that its public half verifies.
 * @throws UserError with the reason; its text never repeats what was given.
 */
export function importKeyMaterial(pem: Secret): KeyMaterial {
	const key = parse(pem.open());
	const algorithm = algorithmOf(key);
	if (!isWhole(key, algorithm)) throw refused('The two halves of this key do not belong together.', 'broken-key');
	return materialOf(algorithm, key);
}

function isWhole(key: KeyObject, algorithm: Algorithm): boolean {
	const probe = Buffer.from('a message that only this key can sign');
	const digest = algorithm === 'ed25519' ? null : 'sha256';
	try {
		return verify(digest, probe, createPublicKey(key), sign(digest, probe, key));
	} catch {
		return false;
	}
}

function parse(pem: string): KeyObject {
	if (/ENCRYPTED/.test(pem)) {
		throw refused(
			'This key is protected by a passphrase. Take it off first: openssl pkey -in key.pem -out plain.pem.',
			'encrypted-key'
		);
	}
	if (!/-----BEGIN (?:RSA )?PRIVATE KEY-----/.test(pem)) {
		throw refused(
			'This is not a private key in PEM form. It begins with -----BEGIN PRIVATE KEY----- or -----BEGIN RSA PRIVATE KEY-----.',
			'not-a-private-key'
		);
	}
	try {
		return createPrivateKey(pem);
	} catch {
		throw refused('This private key is damaged or cut off. Copy the whole file.', 'not-a-private-key');
	}
}

function algorithmOf(key: KeyObject): Algorithm {
	if (key.asymmetricKeyType === 'ed25519') return 'ed25519';
	if (key.asymmetricKeyType !== 'rsa') throw refused('DKIM signs with RSA or Ed25519 only.', 'unsupported-key');
	const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
	if (bits < 2048)
		throw refused(
			`This RSA key has ${bits} bits; receivers distrust less than 2048 (RFC 8301). Generate a new one.`,
			'weak-key'
		);
	if (bits !== 2048 && bits !== 4096)
		throw refused(`This RSA key has ${bits} bits; keys of 2048 or 4096 bits are supported.`, 'unsupported-key');
	return bits === 2048 ? 'rsa-2048' : 'rsa-4096';
}

function refused(message: string, reason: string): UserError {
	return new UserError('BAD_REQUEST', `${message} Nothing was saved.`, { reason, field: 'pem' });
}

function materialOf(algorithm: Algorithm, key: KeyObject): KeyMaterial {
	const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
	const der = createPublicKey(key).export({ type: 'spki', format: 'der' });
	// The last 32 bytes of an Ed25519 SubjectPublicKeyInfo are the key itself (RFC 8410 section 4).
	const published = algorithm === 'ed25519' ? der.subarray(-32) : der;
	return {
		algorithm,
		privateKey: new Secret(pem),
		privateKeyHash: createHash('sha256').update(pem).digest('hex'),
		publicKey: published.toString('base64')
	};
}
