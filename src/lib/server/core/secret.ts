import {
	createCipheriv,
	createDecipheriv,
	createHash,
	createPrivateKey,
	createPublicKey,
	diffieHellman,
	generateKeyPairSync,
	hkdfSync,
	randomBytes
} from 'node:crypto';
import { inspect } from 'node:util';

/** A value that must not come out. However it is printed, it prints `[secret]`; only the code that uses it opens it. */
export class Secret {
	readonly #text: string;

	constructor(text: string) {
		this.#text = text;
	}

	/** The value itself. Each caller is a place that must be defended in review. */
	open(): string {
		return this.#text;
	}

	get bytes(): number {
		return Buffer.byteLength(this.#text);
	}

	toString(): string {
		return '[secret]';
	}

	toJSON(): string {
		return '[secret]';
	}

	[inspect.custom](): string {
		return '[secret]';
	}
}

/** A sealed value that this key cannot open: another key file, or a tampered value. */
export class SealError extends Error {
	override name = 'SealError';
}

/**
 * Seals what the panel itself must use again: `v1:<key id>:<nonce>:<tag>:<ciphertext>`, AES-256-GCM, parts in base64url.
 * The purpose is authenticated, so that a value moved to another column does not open.
 */
export interface PanelKey {
	id: string;
	seal(secret: Secret, purpose: string): string;
	/** @throws SealError when the key is not the one that sealed, or the value was changed. */
	open(sealed: string, purpose: string): Secret;
}

export function panelKey(key: Buffer): PanelKey {
	if (key.length !== 32) throw new SealError('The panel key is not 32 bytes long.');
	const id = keyId(key);
	return {
		id,
		seal(secret, purpose) {
			const nonce = randomBytes(12);
			const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(`v1:${id}:${purpose}`));
			const text = Buffer.concat([cipher.update(secret.open(), 'utf8'), cipher.final()]);
			return ['v1', id, b64(nonce), b64(cipher.getAuthTag()), b64(text)].join(':');
		},
		open(sealed, purpose) {
			const [format, sealedBy, nonce, tag, text] = sealed.split(':');
			if (format !== 'v1' || !sealedBy || !nonce || !tag || text === undefined)
				throw new SealError('A sealed value is damaged. It cannot be opened; enter it again.');
			if (sealedBy !== id)
				throw new SealError(
					`A value was sealed with key ${sealedBy}, but the key file holds key ${id}. Put the right secret.key back, or enter the value again.`
				);
			return openGcm({ key, nonce, tag, text, aad: `v1:${id}:${purpose}` });
		}
	};
}

/** The half that the web process holds: it can seal for the applier and never open. */
export interface ApplierSeal {
	id: string;
	seal(secret: Secret, purpose: string): string;
}

/** The half that only the applier holds. */
export interface ApplierKey extends ApplierSeal {
	/** @throws SealError when the key is not the one that was sealed to, or the value was changed. */
	open(sealed: string, purpose: string): Secret;
}

/**
 * Seals to the applier's X25519 public key (raw 32 bytes): an ephemeral key, HKDF-SHA256 over the shared secret,
 * AES-256-GCM. `v2:<key id>:<ephemeral public key>:<nonce>:<tag>:<ciphertext>`.
 */
export function applierSeal(publicKey: Buffer): ApplierSeal {
	const id = keyId(publicKey);
	return {
		id,
		seal(secret, purpose) {
			const ephemeral = generateKeyPairSync('x25519');
			const ephemeralPublic = rawPublic(ephemeral.publicKey.export({ format: 'jwk' }).x);
			const shared = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: importPublic(publicKey) });
			const key = derive(shared, ephemeralPublic, publicKey);
			const nonce = randomBytes(12);
			const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(`v2:${id}:${purpose}`));
			const text = Buffer.concat([cipher.update(secret.open(), 'utf8'), cipher.final()]);
			return ['v2', id, b64(ephemeralPublic), b64(nonce), b64(cipher.getAuthTag()), b64(text)].join(':');
		}
	};
}

/** @param privateKey PKCS#8 DER of an X25519 key. */
export function applierKey(privateKey: Buffer): ApplierKey {
	const secretKey = createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' });
	const publicKey = rawPublic(createPublicKey(secretKey).export({ format: 'jwk' }).x);
	const seal = applierSeal(publicKey);
	return {
		...seal,
		open(sealed, purpose) {
			const [format, sealedTo, ephemeral, nonce, tag, text] = sealed.split(':');
			if (format !== 'v2' || !sealedTo || !ephemeral || !nonce || !tag || text === undefined)
				throw new SealError('A sealed key is damaged. It cannot be opened; generate a new one.');
			if (sealedTo !== seal.id)
				throw new SealError(
					`A key was sealed to applier ${sealedTo}, but this is applier ${seal.id}. Put the right applier.key back, or generate a new key.`
				);
			const ephemeralPublic = Buffer.from(ephemeral, 'base64url');
			const shared = diffieHellman({ privateKey: secretKey, publicKey: importPublic(ephemeralPublic) });
			return openGcm({
				key: derive(shared, ephemeralPublic, publicKey),
				nonce,
				tag,
				text,
				aad: `v2:${seal.id}:${purpose}`
			});
		}
	};
}

/** The raw public half of an applier key. @param privateKey PKCS#8 DER */
export function applierPublicKey(privateKey: Buffer): Buffer {
	const secretKey = createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' });
	return rawPublic(createPublicKey(secretKey).export({ format: 'jwk' }).x);
}

/** A new applier key pair: PKCS#8 DER of the private half. */
export function newApplierKey(): Buffer {
	return generateKeyPairSync('x25519').privateKey.export({ format: 'der', type: 'pkcs8' });
}

function openGcm({
	key,
	nonce,
	tag,
	text,
	aad
}: {
	key: Buffer;
	nonce: string;
	tag: string;
	text: string;
	aad: string;
}): Secret {
	try {
		const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64url'), { authTagLength: 16 });
		decipher.setAAD(Buffer.from(aad)).setAuthTag(Buffer.from(tag, 'base64url'));
		return new Secret(decipher.update(Buffer.from(text, 'base64url'), undefined, 'utf8') + decipher.final('utf8'));
	} catch {
		throw new SealError(
			'A sealed value was changed after it was sealed, or belongs to another field. It cannot be opened; enter it again.'
		);
	}
}

function derive(shared: Buffer, ephemeralPublic: Buffer, recipientPublic: Buffer): Buffer {
	return Buffer.from(
		hkdfSync('sha256', shared, Buffer.concat([ephemeralPublic, recipientPublic]), 'kumomta-ui applier seal v2', 32)
	);
}

function importPublic(raw: Buffer) {
	return createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: b64(raw) }, format: 'jwk' });
}

const rawPublic = (x: string | undefined) => Buffer.from(x ?? '', 'base64url');
const b64 = (bytes: Buffer) => bytes.toString('base64url');
const keyId = (key: Buffer) => createHash('sha256').update('kumomta-ui key id').update(key).digest('hex').slice(0, 8);
