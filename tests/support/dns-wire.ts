/** The little of RFC 1035 section 4 that a name server in a test needs. */

const typeNumbers = { A: 1, CNAME: 5, PTR: 12, MX: 15, TXT: 16, AAAA: 28 } as const;
export type RecordType = keyof typeof typeNumbers;

const rcodes = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;
export type Rcode = keyof typeof rcodes;

export interface Query {
	id: number;
	name: string;
	type: RecordType | undefined;
	/** The question as it came, to be echoed. */
	question: Buffer;
	/** Bytes that the client takes over UDP: 512, or what its OPT record says (RFC 6891 6.2.3). */
	udpBytes: number;
	isRecursive: boolean;
}

export interface Resource {
	name: string;
	type: RecordType;
	data: Buffer;
}

export function readQuery(message: Buffer): Query {
	const labels: string[] = [];
	let at = 12;
	for (let length = message.readUInt8(at); length !== 0; length = message.readUInt8(at)) {
		labels.push(message.toString('latin1', at + 1, at + 1 + length));
		at += 1 + length;
	}
	const number = message.readUInt16BE(at + 1);
	const end = at + 5;
	// An OPT record right behind the question: root name, type 41, and the size where the class would be.
	const hasOpt = message.readUInt16BE(10) > 0 && message.readUInt8(end) === 0 && message.readUInt16BE(end + 1) === 41;
	return {
		id: message.readUInt16BE(0),
		name: labels.join('.').toLowerCase(),
		type: (Object.keys(typeNumbers) as RecordType[]).find((type) => typeNumbers[type] === number),
		question: message.subarray(12, end),
		udpBytes: hasOpt ? Math.max(512, message.readUInt16BE(end + 3)) : 512,
		isRecursive: (message.readUInt16BE(2) & 0x0100) !== 0
	};
}

/** An answer; truncated ones carry no records and the TC bit (RFC 1035 4.1.1). */
export function writeAnswer(query: Query, rcode: Rcode, answers: Resource[], isTruncated = false): Buffer {
	const header = Buffer.alloc(12);
	header.writeUInt16BE(query.id, 0);
	// QR and AA, RD as asked, RA, TC where it applies.
	header.writeUInt16BE(0x8480 | (query.isRecursive ? 0x0100 : 0) | (isTruncated ? 0x0200 : 0) | rcodes[rcode], 2);
	header.writeUInt16BE(1, 4);
	header.writeUInt16BE(isTruncated ? 0 : answers.length, 6);
	return Buffer.concat([header, query.question, ...(isTruncated ? [] : answers.map(resource))]);
}

function resource({ name, type, data }: Resource): Buffer {
	const fixed = Buffer.alloc(10);
	fixed.writeUInt16BE(typeNumbers[type], 0);
	fixed.writeUInt16BE(1, 2);
	fixed.writeUInt32BE(60, 4);
	fixed.writeUInt16BE(data.length, 8);
	return Buffer.concat([nameBytes(name), fixed, data]);
}

export function nameBytes(name: string): Buffer {
	const labels = name === '' ? [] : name.split('.');
	return Buffer.concat([...labels.map((label) => prefixed(Buffer.from(label, 'latin1'))), Buffer.from([0])]);
}

/** Bytes behind their length, as labels and the strings of TXT have it. */
export function prefixed(bytes: Buffer): Buffer {
	if (bytes.length > 255) throw new Error('A string of a TXT record holds at most 255 bytes.');
	return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}
