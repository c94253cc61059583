import { randomBytes } from 'node:crypto';

const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789';

/** 80 random bits as 16 characters out of 32 that are hard to confuse. */
export function newId(): string {
	return Array.from(randomBytes(16), (byte) => alphabet[byte & 31]).join('');
}
