import { canonicalAddress } from '../core/inputs.ts';

export const rangeLimit = 256;

/**
 * Every address of a network in order, network and broadcast address included: a routed block uses them all.
 * @returns undefined when the text is no network with its host part zero; 'too-large' above 256 addresses.
 */
export function addressesOf(cidr: string): string[] | 'too-large' | undefined {
	const [, host, prefix] = /^([0-9A-Fa-f.:]{2,45})\/(\d{1,3})$/.exec(cidr) ?? [];
	const address = canonicalAddress(host ?? '');
	if (address === undefined) return undefined;
	const isV6 = address.includes(':');
	const hostBits = (isV6 ? 128 : 32) - Number(prefix);
	if (hostBits < 0) return undefined;
	const first = isV6 ? numberOfV6(address) : numberOfV4(address);
	if (first % (1n << BigInt(hostBits)) !== 0n) return undefined;
	if (2 ** hostBits > rangeLimit) return 'too-large';
	return Array.from({ length: 2 ** hostBits }, (_, index) => {
		const value = first + BigInt(index);
		return isV6 ? textOfV6(value) : textOfV4(value);
	});
}

function numberOfV4(address: string): bigint {
	return address.split('.').reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function textOfV4(value: bigint): string {
	return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
}

/** @param address canonical: at most one `::`, no dotted tail. */
function numberOfV6(address: string): bigint {
	const [left = '', right] = address.split('::');
	const head = left === '' ? [] : left.split(':');
	const tail = right === undefined || right === '' ? [] : right.split(':');
	const groups = [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail];
	return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

function textOfV6(value: bigint): string {
	const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
	return canonicalAddress(groups.join(':')) ?? groups.join(':');
}
