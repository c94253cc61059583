interface PublicRecord {
	name: string;
	value: string;
	parts: string[];
	zone: string;
}

const ttlSeconds = 3600;

/**
 * The TXT record that verifiers look for (RFC 6376 3.6.2.1; Ed25519: RFC 8463). A TXT string holds at most 255 octets
 * (RFC 1035 3.3.14), so a longer value is published in parts.
 */
export function publicRecord({
	domainName,
	selector,
	algorithm,
	publicKey
}: {
	domainName: string;
	selector: string;
	algorithm: string;
	publicKey: string;
}): PublicRecord {
	const name = `${selector}._domainkey.${domainName}`;
	const value = `v=DKIM1; k=${algorithm === 'ed25519' ? 'ed25519' : 'rsa'}; p=${publicKey}`;
	const parts = value.match(/.{1,255}/g) ?? [];
	return { name, value, parts, zone: `${name}. ${ttlSeconds} IN TXT ${parts.map((part) => `"${part}"`).join(' ')}` };
}
