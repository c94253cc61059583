import { createHash } from 'node:crypto';

/** Text that must not be found where it does not belong, however it was written down. */
export interface Canary {
	name: string;
	text: string;
}

/** The ways in which a value gets into a file or an answer unnoticed. */
function spellings(text: string): string[] {
	const bytes = Buffer.from(text);
	const hashes = ['sha256', 'sha1', 'md5', 'sha512'].map((name) => createHash(name).update(bytes));
	return [
		text,
		JSON.stringify(text).slice(1, -1),
		encodeURIComponent(text),
		bytes.toString('hex'),
		bytes.toString('base64').replace(/=+$/, ''),
		bytes.toString('base64url'),
		...hashes.flatMap((hash) => {
			const digest = hash.digest();
			return [digest.toString('hex'), digest.toString('base64').replace(/=+$/, ''), digest.toString('base64url')];
		})
	];
}

/** Names of the canaries that a text or the bytes of a file hold. */
export function canariesIn(haystack: string | Buffer, canaries: Canary[]): string[] {
	return canaries.filter(({ text }) => spellings(text).some((each) => haystack.includes(each))).map(({ name }) => name);
}
