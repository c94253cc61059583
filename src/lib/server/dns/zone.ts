/** What a zone-file line is made of. Names are full, without trailing dot. */
export interface ZoneRecord {
	name: string;
	type: 'A' | 'AAAA' | 'PTR' | 'MX' | 'TXT';
	/** TXT: the one logical string. MX and PTR: as in a zone file, host names with their trailing dot. */
	value: string;
	ttl: number;
}

/** Bytes that one string of a TXT record holds at most (RFC 1035 3.3.14). */
const partBytes = 255;

/** The pieces of a TXT value, at most 255 bytes each, never cut inside a character. An empty value is one empty piece. */
export function txtParts(value: string): string[] {
	const parts = [''];
	let bytes = 0;
	for (const character of value) {
		const size = Buffer.byteLength(character);
		if (bytes + size > partBytes) {
			parts.push('');
			bytes = 0;
		}
		parts[parts.length - 1] += character;
		bytes += size;
	}
	return parts;
}

/** One line of a zone file (RFC 1035 5.1), without line end; a value cannot leave its quotes or its line. */
export function zoneLine({ name, type, value, ttl }: ZoneRecord): string {
	const data = type === 'TXT' ? txtParts(value).map(quoted).join(' ') : bare(value);
	return `${bare(name)}. ${ttl} IN ${type} ${data}`;
}

/**
 * Records as text for a zone file of `origin`, each under its purpose. What lies in other zones (reverse names, EHLO
 * names elsewhere) stands there as comments: a name server refuses or ignores it in this zone.
 */
export function zoneFile(origin: string, records: (ZoneRecord & { purpose: string; zone: string })[]): string {
	const isInside = ({ name }: ZoneRecord) => name === origin || name.endsWith(`.${origin}`);
	const entry = (lead: string) => (record: { purpose: string; zone: string }) => [
		`; ${asciiText(record.purpose)}`,
		`${lead}${record.zone}`,
		''
	];
	const outside = records.filter((record) => !isInside(record));
	return [
		`; ${asciiText(origin)}: records for mail sent through KumoMTA.`,
		'; Add these lines to what the zone has. The MX of the domain itself is not among them: leave it as it is.',
		'',
		...records.filter(isInside).flatMap(entry('')),
		...(outside.length === 0 ? [] : ['; The following belong to other zones.', '']),
		...outside.flatMap(entry('; '))
	].join('\n');
}

/** `\DDD` is a byte in decimal: the only escape that every name server reads the same. */
const byteEscape = (byte: number) => `\\${String(byte).padStart(3, '0')}`;

function quoted(part: string): string {
	const text = [...Buffer.from(part)].map((byte) => {
		if (byte === 0x22 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
		return byte < 0x20 || byte > 0x7e ? byteEscape(byte) : String.fromCharCode(byte);
	});
	return `"${text.join('')}"`;
}

/** Outside quotes only the letters of names, numbers and single spaces stand for themselves. */
function bare(text: string): string {
	return [...Buffer.from(text)]
		.map((byte) => {
			const character = String.fromCharCode(byte);
			return /[A-Za-z0-9 ._:/*-]/.test(character) ? character : byteEscape(byte);
		})
		.join('');
}

function asciiText(text: string): string {
	return text.replace(/[^\x20-\x7e]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
