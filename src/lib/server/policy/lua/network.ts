/** IP networks as KumoMTA matches them: an IPv4 peer of an IPv6 listener is `::ffff:a.b.c.d`, which no IPv4 network holds. */

function bytesOf(address: string): number[] | null {
	if (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(address)) {
		const bytes = address.split('.').map(Number);
		return bytes.every((byte) => byte < 256) ? bytes : null;
	}
	return address.includes(':') ? sixteenBytesOf(address) : null;
}

function sixteenBytesOf(address: string): number[] | null {
	const mapped = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
	const tail = mapped === null ? null : bytesOf(mapped[2] ?? '');
	if (mapped !== null && tail === null) return null;
	const text = tail === null ? address : `${mapped?.[1]}${hexPair(tail[0], tail[1])}:${hexPair(tail[2], tail[3])}`;
	const [head = '', rest, ...more] = text.split('::');
	if (more.length > 0) return null;
	const front = groupsOf(head);
	const back = rest === undefined ? [] : groupsOf(rest);
	const missing = 8 - front.length - back.length;
	if (rest === undefined ? missing !== 0 : missing < 1) return null;
	const groups = [...front, ...Array.from({ length: missing }, () => 0), ...back];
	return groups.every((group) => group >= 0 && group <= 0xff_ff)
		? groups.flatMap((group) => [group >> 8, group & 255])
		: null;
}

const hexPair = (high = 0, low = 0) => ((high << 8) | low).toString(16);
const groupsOf = (text: string) =>
	text === '' ? [] : text.split(':').map((group) => (/^[0-9a-f]{1,4}$/i.test(group) ? parseInt(group, 16) : -1));

function parsed(network: string): { bytes: number[]; bits: number } | null {
	const [address = '', length, ...more] = network.split('/');
	const bytes = bytesOf(address);
	if (bytes === null || more.length > 0) return null;
	const bits = length === undefined ? bytes.length * 8 : Number(length);
	return Number.isInteger(bits) && bits >= 0 && bits <= bytes.length * 8 ? { bytes, bits } : null;
}

const bitAt = (bytes: number[], index: number) => ((bytes[index >> 3] ?? 0) >> (7 - (index & 7))) & 1;

/** Strict, as KumoMTA: host bits must be zero. */
export function isNetwork(network: string): boolean {
	const found = parsed(network);
	if (found === null) return false;
	for (let index = found.bits; index < found.bytes.length * 8; index++)
		if (bitAt(found.bytes, index) === 1) return false;
	return true;
}

export function isInside(address: string, networks: readonly string[]): boolean {
	const bytes = bytesOf(address);
	if (bytes === null) return false;
	return networks.some((network) => {
		const found = parsed(network);
		if (found === null || found.bytes.length !== bytes.length) return false;
		for (let index = 0; index < found.bits; index++)
			if (bitAt(bytes, index) !== bitAt(found.bytes, index)) return false;
		return true;
	});
}
