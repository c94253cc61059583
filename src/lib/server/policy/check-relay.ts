import type { PolicySettings } from './input.ts';
import { problem } from './problem.ts';
import type { Problem } from './problem.ts';

interface Network {
	text: string;
	bits: 32 | 128;
	prefix: number;
	start: bigint;
	end: bigint;
}

/** Where IPv6 holds IPv4 (RFC 4291 2.5.5.2): on a `::` listener every IPv4 client comes from here. */
const mapped = { start: 0xffff_0000_0000n, end: 0xffff_ffff_ffffn };

/** Not reachable from outside: RFC 1918, 6598, 3927, 4193, 4291 and loopback. */
const inside = [
	'10.0.0.0/8',
	'172.16.0.0/12',
	'192.168.0.0/16',
	'100.64.0.0/10',
	'169.254.0.0/16',
	'127.0.0.0/8',
	'fc00::/7',
	'fe80::/10',
	'::1/128'
].map(networkOf);

/** Together, public relay hosts may cover this many IPv4 addresses: four networks of /16. */
const publicLimit = 2n ** 18n;

/**
 * Whoever connects from a relay host may send without a password, so a network that is too wide is an open relay.
 * Wider than /8 (IPv4) or /32 (IPv6), public and wider than /16, or public space added up: an error, unless the very
 * network stands in the override.
 */
export function checkRelayHosts({ relayHosts, relayHostsOverride }: PolicySettings): Problem[] {
	const overridden = new Set(relayHostsOverride);
	const networks = relayHosts.map((text, index) => ({ ...networkOf(text), index }));
	const judged = networks.filter(({ text }) => !overridden.has(text));
	const problems = judged.flatMap((network) => {
		const reason = tooWide(network);
		return reason === undefined ? [] : [relayProblem(network.index, network.text, reason)];
	});
	const rest = judged.filter((network) => tooWide(network) === undefined && network.bits === 32 && !isInside(network));
	if (covered(rest) > publicLimit) {
		problems.push(
			problem({
				severity: 'error',
				scope: 'node',
				field: 'relayHosts',
				code: 'relay-hosts-too-many',
				message: `The relay hosts together cover more than ${publicLimit} public addresses. Each could send without a password. Nothing is applied. Name only your own networks, or list them under the override.`
			})
		);
	}
	return problems;
}

function tooWide(network: Network): string | undefined {
	const widest = network.bits === 32 ? 8 : 32;
	if (network.prefix < widest)
		return network.text.includes(':') && network.bits === 32
			? 'holds IPv4 networks wider than /8'
			: `is wider than /${widest}`;
	if (network.bits === 32 && network.prefix < 16 && !isInside(network)) return 'is a public network wider than /16';
	return undefined;
}

const relayProblem = (index: number, text: string, reason: string): Problem =>
	problem({
		severity: 'error',
		scope: 'node',
		field: `relayHosts.${index}`,
		code: 'relay-host-too-wide',
		message: `The relay host ${text} ${reason}: everyone in it could send without a password. Nothing is applied. Narrow it, or list it under the override.`
	});

const isInside = (network: Network) =>
	inside.some(({ bits, start, end }) => bits === network.bits && start <= network.start && network.end <= end);

/** How many addresses a set of networks covers, each counted once. */
function covered(networks: Network[]): bigint {
	let total = 0n;
	let reached = -1n;
	for (const { start, end } of networks.toSorted((a, b) => (a.start < b.start ? -1 : 1))) {
		const from = start > reached ? start : reached + 1n;
		if (end < from) continue;
		total += end - from + 1n;
		reached = end;
	}
	return total;
}

function networkOf(text: string): Network {
	const [address = '', length = ''] = text.split('/');
	const bits = address.includes(':') ? 128 : 32;
	const prefix = Number(length);
	const size = 1n << BigInt(bits - prefix);
	const start = (numberOf(address) / size) * size;
	const end = start + size - 1n;
	if (bits === 32 || end < mapped.start || start > mapped.end) return { text, bits, prefix, start, end };
	if (prefix < 96) return { text, bits: 32, prefix: 0, start: 0n, end: 0xffff_ffffn };
	return { text, bits: 32, prefix: prefix - 96, start: start - mapped.start, end: end - mapped.start };
}

/** An address as one number. @param address valid, as zod's ipv4 and ipv6 know it. */
function numberOf(address: string): bigint {
	if (!address.includes(':')) return address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
	const v4 = /(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
	if (v4) {
		const low = numberOf(v4[2] ?? '');
		return numberOf(`${v4[1] ?? ''}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`);
	}
	const [head = '', tail] = address.split('::');
	const left = head === '' ? [] : head.split(':');
	const right = tail === undefined || tail === '' ? [] : tail.split(':');
	const groups = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
	return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}
