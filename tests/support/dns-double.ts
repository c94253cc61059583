import { createSocket } from 'node:dgram';
import type { Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { nameBytes, prefixed, readQuery, writeAnswer } from './dns-wire.ts';
import type { Query, Rcode, RecordType, Resource } from './dns-wire.ts';

/** What stands under one name. A type that is not given is NODATA; a name that is not in the table is NXDOMAIN. */
export interface DnsEntry {
	A?: string[];
	/** Eight groups of hex digits, written out. */
	AAAA?: string[];
	/** `10 mail.example.net` */
	MX?: string[];
	PTR?: string[];
	/** Each record: one string, or several of at most 255 bytes; one character a byte. */
	TXT?: (string | string[])[];
	CNAME?: string;
	/** Answers with an error instead. */
	rcode?: Rcode;
	/** Never answers. */
	isSilent?: boolean;
	/** Over UDP the answer is always cut (TC). */
	isTcpOnly?: boolean;
}

export interface DnsDouble {
	/** As it is entered in Settings. */
	address: string;
	/** Every question, as `TXT example.com udp`. */
	queries: string[];
	/** Questions about names that the table does not hold; empty unless `isStrict`. */
	unexpected: string[];
	close(): Promise<void>;
}

/**
 * An authoritative name server on 127.0.0.1, over UDP and TCP on one port. `isStrict`: a question about a name outside
 * the table is refused and noted in `unexpected`, where the test fails on it, instead of NXDOMAIN.
 */
export async function startDnsDouble(table: Record<string, DnsEntry>, { isStrict = false } = {}): Promise<DnsDouble> {
	const queries: string[] = [];
	const unexpected: string[] = [];
	function reply(message: Buffer, transport: 'udp' | 'tcp'): Buffer | undefined {
		const query = readQuery(message);
		queries.push(`${query.type ?? '?'} ${query.name} ${transport}`);
		const entry = table[query.name];
		if (entry === undefined && isStrict) unexpected.push(`${query.type ?? '?'} ${query.name}`);
		if (entry === undefined) return writeAnswer(query, isStrict ? 'REFUSED' : 'NXDOMAIN', []);
		if (entry.isSilent) return undefined;
		if (entry.rcode) return writeAnswer(query, entry.rcode, []);
		const whole = writeAnswer(query, 'NOERROR', answersTo(table, query));
		const isCut = transport === 'udp' && (entry.isTcpOnly === true || whole.length > query.udpBytes);
		return isCut ? writeAnswer(query, 'NOERROR', [], true) : whole;
	}
	const { tcp, udp, port } = await listen();
	const connections = new Set<Socket>();
	udp.on('message', (message, { port: to, address }) => {
		const answer = reply(message, 'udp');
		if (answer) udp.send(answer, to, address);
	});
	tcp.on('connection', (socket) => {
		connections.add(socket);
		serve(socket, (message) => reply(message, 'tcp'));
	});
	return {
		address: `127.0.0.1:${port}`,
		queries,
		unexpected,
		async close() {
			for (const socket of connections) socket.destroy();
			const closed = [once(udp, 'close'), once(tcp, 'close')];
			udp.close();
			tcp.close();
			await Promise.all(closed);
		}
	};
}

/** TCP and UDP on one free port: what is free for one may be taken for the other. */
async function listen(): Promise<{ tcp: Server; udp: UdpSocket; port: number }> {
	for (let attempt = 0; ; attempt++) {
		const tcp = createServer().listen(0, '127.0.0.1');
		await once(tcp, 'listening');
		const { port } = tcp.address() as AddressInfo;
		const udp = createSocket('udp4');
		try {
			udp.bind(port, '127.0.0.1');
			await once(udp, 'listening');
			return { tcp, udp, port };
		} catch (error) {
			tcp.close();
			udp.close();
			if (attempt === 20) throw error;
		}
	}
}

/** Messages over TCP stand behind their length in two bytes (RFC 1035 4.2.2). */
function serve(socket: Socket, reply: (message: Buffer) => Buffer | undefined): void {
	let buffered = Buffer.alloc(0);
	socket.on('error', () => socket.destroy());
	socket.on('data', (chunk) => {
		buffered = Buffer.concat([buffered, chunk]);
		while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
			const end = 2 + buffered.readUInt16BE(0);
			const answer = reply(buffered.subarray(2, end));
			buffered = buffered.subarray(end);
			if (!answer) continue;
			const length = Buffer.alloc(2);
			length.writeUInt16BE(answer.length);
			socket.write(Buffer.concat([length, answer]));
		}
	});
}

/** The records of a name, through its alias where it has one (RFC 1034 3.6.2). */
function answersTo(table: Record<string, DnsEntry>, query: Query): Resource[] {
	const answers: Resource[] = [];
	let name = query.name;
	for (let hops = 0; hops < 8; hops++) {
		const alias = table[name]?.CNAME;
		if (alias === undefined) break;
		answers.push({ name, type: 'CNAME', data: nameBytes(alias) });
		name = alias;
	}
	const { type } = query;
	return type === undefined || type === 'CNAME' ? answers : [...answers, ...resourcesOf(name, type, table[name] ?? {})];
}

function resourcesOf(name: string, type: Exclude<RecordType, 'CNAME'>, entry: DnsEntry): Resource[] {
	const values: (string | string[])[] = entry[type] ?? [];
	return values.map((value) => ({ name, type, data: dataOf(type, value) }));
}

function dataOf(type: Exclude<RecordType, 'CNAME'>, value: string | string[]): Buffer {
	if (type === 'TXT') return Buffer.concat([value].flat().map((part) => prefixed(Buffer.from(part, 'latin1'))));
	const text = String(value);
	if (type === 'A') return Buffer.from(text.split('.').map(Number));
	if (type === 'AAAA')
		return Buffer.from(
			text
				.split(':')
				.map((group) => group.padStart(4, '0'))
				.join(''),
			'hex'
		);
	if (type === 'PTR') return nameBytes(text);
	const [priority = '', host = ''] = text.split(' ');
	const number = Buffer.alloc(2);
	number.writeUInt16BE(Number(priority));
	return Buffer.concat([number, nameBytes(host)]);
}
