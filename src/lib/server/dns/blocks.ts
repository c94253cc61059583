import { BlockList, isIP } from 'node:net';
import { canonicalAddress } from '../core/inputs.ts';

/** A network: every address whose first `prefix` bits are those of `value`. A single address is a full-length prefix. */
export interface Block {
	family: 4 | 6;
	value: bigint;
	prefix: number;
}

const bitsOf = (family: 4 | 6) => (family === 4 ? 32 : 128);
const sizeOf = ({ family, prefix }: Block) => 1n << BigInt(bitsOf(family) - prefix);

/** Reads `address` or `address/prefix`; host bits are cleared, as SPF compares (RFC 7208 5.6). Undefined when it is neither. */
export function parseBlock(text: string): Block | undefined {
	const [host = '', length, ...rest] = text.split('/');
	const address = canonicalAddress(host);
	if (address === undefined || rest.length > 0) return undefined;
	const family = isIP(address) === 4 ? 4 : 6;
	if (length !== undefined && !/^(?:0|[1-9]\d{0,2})$/.test(length)) return undefined;
	const prefix = length === undefined ? bitsOf(family) : Number(length);
	if (prefix > bitsOf(family)) return undefined;
	return withPrefix({ family, value: valueOf(address, family), prefix: bitsOf(family) }, prefix);
}

/** The block of that length around the first address of another. */
export function withPrefix({ family, value }: Block, prefix: number): Block {
	const host = BigInt(bitsOf(family) - prefix);
	return { family, value: (value >> host) << host, prefix };
}

export function covers(outer: Block, inner: Block): boolean {
	return (
		outer.family === inner.family &&
		outer.prefix <= inner.prefix &&
		withPrefix(inner, outer.prefix).value === outer.value
	);
}

/** `address`, or `address/prefix` for more than one. */
export function formatBlock({ family, value, prefix }: Block): string {
	const address = family === 4 ? formatV4(value) : formatV6(value);
	return prefix === bitsOf(family) ? address : `${address}/${prefix}`;
}

/** The fewest networks that hold exactly these addresses and no other: IPv4 first, ascending. Unreadable ones are left out. */
export function aggregate(addresses: string[]): Block[] {
	const blocks = addresses.flatMap((each) => parseBlock(each) ?? []).sort(inOrder);
	const merged: Block[] = [];
	for (const block of blocks) {
		if (merged.some((each) => covers(each, block))) continue;
		merged.push(block);
		while (areHalves(merged.at(-2), merged.at(-1))) {
			merged.pop();
			const first = merged.pop() as Block;
			merged.push(withPrefix(first, first.prefix - 1));
		}
	}
	return merged;
}

/** Each address of a block; undo of `aggregate`. At most `limit` of them. */
export function addressesIn(block: Block, limit = 1024): Block[] {
	const size = sizeOf(block);
	const count = size > BigInt(limit) ? limit : Number(size);
	return Array.from({ length: count }, (_, index) => ({
		family: block.family,
		value: block.value + BigInt(index),
		prefix: bitsOf(block.family)
	}));
}

function inOrder(a: Block, b: Block): number {
	if (a.family !== b.family) return a.family - b.family;
	return a.value === b.value ? a.prefix - b.prefix : a.value < b.value ? -1 : 1;
}

function areHalves(low: Block | undefined, high: Block | undefined): boolean {
	if (low === undefined || high === undefined) return false;
	if (low.family !== high.family || low.prefix !== high.prefix || low.prefix === 0) return false;
	return withPrefix(low, low.prefix - 1).value === low.value && low.value + sizeOf(low) === high.value;
}

function valueOf(address: string, family: 4 | 6): bigint {
	if (family === 4) return address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
	return groupsOf(address).reduce((sum, group) => (sum << 16n) | BigInt(parseInt(group, 16)), 0n);
}

function groupsOf(address: string): string[] {
	const [head = '', tail] = address.split('::');
	const left = head === '' ? [] : head.split(':');
	const right = tail === undefined || tail === '' ? [] : tail.split(':');
	return [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
}

function formatV4(value: bigint): string {
	return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
}

function formatV6(value: bigint): string {
	const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
	return canonicalAddress(groups.join(':')) ?? '';
}

/** The name of an address in the reverse tree, without trailing dot (RFC 1035 3.5, RFC 3596 2.5). Undefined for no address. */
export function reverseName(address: string): string | undefined {
	const block = parseBlock(address);
	if (block === undefined) return undefined;
	if (block.family === 4) return `${formatV4(block.value).split('.').reverse().join('.')}.in-addr.arpa`;
	return `${[...block.value.toString(16).padStart(32, '0')].reverse().join('.')}.ip6.arpa`;
}

/** The reversed labels alone, as DNS lists of addresses are asked (RFC 5782 2.1, 2.4). Empty for no address. */
export function reversedLabels(address: string): string {
	return (reverseName(address) ?? '').replace(/\.(?:in-addr|ip6)\.arpa$/, '');
}

/** Whether one of these networks holds the address; what is no network holds nothing. */
export function isInside(address: string, networks: string[]): boolean {
	const inner = parseBlock(address);
	return inner !== undefined && networks.some((network) => isOver(parseBlock(network), inner));
}

const isOver = (outer: Block | undefined, inner: Block) => outer !== undefined && covers(outer, inner);

/** The address behind a name of the reverse tree. */
export function addressOfReverseName(name: string): string | undefined {
	const labels = name.toLowerCase().split('.').slice(0, -2).reverse();
	if (name.endsWith('.in-addr.arpa')) return canonicalAddress(labels.join('.'));
	return canonicalAddress(labels.join('').replace(/(.{4})(?!$)/g, '$1:'));
}

const unreachable = [
	'0.0.0.0/8',
	'10.0.0.0/8',
	'100.64.0.0/10',
	'127.0.0.0/8',
	'169.254.0.0/16',
	'172.16.0.0/12',
	'192.168.0.0/16',
	'224.0.0.0/3',
	'::/127',
	'fc00::/7',
	'fe80::/10',
	'ff00::/8'
];

/** Whether the Internet could see mail come from this address: not private, loopback, link-local, shared or multicast. */
export function isPublicAddress(address: string): boolean {
	const family = isIP(address);
	if (family === 0) return false;
	const list = new BlockList();
	for (const network of unreachable) {
		const [base = '', prefix] = network.split('/');
		list.addSubnet(base, Number(prefix), base.includes(':') ? 'ipv6' : 'ipv4');
	}
	return !list.check(address, family === 4 ? 'ipv4' : 'ipv6');
}
