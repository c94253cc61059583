import { isFirstTag, parseTags } from './tag-list.ts';

export interface DkimKeyRecord {
	selector: string;
	algorithm: 'rsa-2048' | 'rsa-4096' | 'ed25519';
	/** Base64 as it stands in `p=`. */
	publicKey: string;
}

export const dkimName = (selector: string, domain: string) => `${selector}._domainkey.${domain}`;

/** The key record (RFC 6376 3.6.1; Ed25519: RFC 8463). */
export function dkimRecord({ algorithm, publicKey }: DkimKeyRecord): string {
	return `v=DKIM1; k=${algorithm === 'ed25519' ? 'ed25519' : 'rsa'}; p=${publicKey}`;
}

/** How a published record stands to the expected key. `warning` goes with `ok`; every other state is a failing signature. */
type DkimComparison = { state: 'ok'; warning?: string } | { state: 'different'; message: string };

const different = (message: string): DkimComparison => ({ state: 'different', message });

/**
 * Compares what a verifier would read (RFC 6376 3.6.1): the order of tags, white space, unknown tags and defaults do not
 * matter; the key, its type, the hashes and the services it is good for do.
 */
export function compareDkim(published: string, expected: string): DkimComparison {
	const tags = parseTags(published);
	const wanted = parseTags(expected);
	if (tags === undefined) return different('Found a record that is no list of tags: verifiers ignore it.');
	const fault = headFault(tags);
	if (fault !== undefined) return different(fault);
	const key = tags.get('p')?.replace(/[ \t\r\n]+/g, '');
	if (key === undefined) return different('Found a record without a key (p=).');
	if (key === '') return different('Found a revoked key (empty p=): every signature fails.');
	const type = tags.get('k') ?? 'rsa';
	if (type !== wanted?.get('k')) return different(`Found a key of another type (k=${type.slice(0, 20)}).`);
	if (!isSameKey(key, wanted.get('p') ?? '')) return different('Found another key under this selector.');
	return flagsOf(tags).includes('y')
		? { state: 'ok', warning: 'It carries t=y (testing): receivers may treat signed mail as unsigned. Remove t=y.' }
		: { state: 'ok' };
}

function headFault(tags: Map<string, string>): string | undefined {
	if (tags.has('v') && (!isFirstTag(tags, 'v') || tags.get('v') !== 'DKIM1'))
		return 'Found a record whose v=DKIM1 is not the first tag: verifiers ignore it.';
	if (tags.has('h') && !listOf(tags, 'h').includes('sha256'))
		return 'Found a record that does not allow SHA-256 (h=): every signature fails.';
	if (tags.has('s') && !listOf(tags, 's').some((service) => service === '*' || service === 'email'))
		return 'Found a record that is not for e-mail (s=): every signature fails.';
	return undefined;
}

const listOf = (tags: Map<string, string>, name: string) =>
	(tags.get(name) ?? '').split(':').map((each) => each.trim());
const flagsOf = (tags: Map<string, string>) => listOf(tags, 't');

function isSameKey(published: string, wanted: string): boolean {
	if (!/^[A-Za-z0-9+/]+={0,2}$/.test(published)) return false;
	return Buffer.from(published, 'base64').equals(Buffer.from(wanted, 'base64'));
}
