import { z } from 'zod';
import { hostName, ipAddress, line, secretState, secretText, seenVersion } from '../core/inputs.ts';
import { canonicalAddress } from '../core/inputs.ts';

const purpose = z.enum(['inbound', 'submission', 'relay']);
const listener = z.strictObject({
	address: ipAddress,
	port: z.int('A port is a number.').min(1, 'From 1 to 65535.').max(65_535, 'From 1 to 65535.'),
	purpose
});

/** A network in CIDR form with host bits zero, as KumoMTA demands; a bare address becomes a single-host network. */
const cidr = z
	.string()
	.trim()
	.max(64)
	.transform((text, context) => {
		const network = canonicalCidr(text);
		if (network === undefined)
			context.addIssue({
				code: 'custom',
				message: 'This is not a network. Write it like 192.0.2.0/24 or 2001:db8::/32, with the host part zero.'
			});
		return network ?? '';
	});

function canonicalCidr(text: string): string | undefined {
	const [host = '', prefix, ...rest] = text.split('/');
	const address = canonicalAddress(host);
	if (address === undefined || rest.length > 0) return undefined;
	const bits = address.includes(':') ? 128 : 32;
	const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
	if (length < 0 || length > bits || !isHostPartZero(address, length)) return undefined;
	return `${address}/${length}`;
}

function isHostPartZero(address: string, length: number): boolean {
	const groups = address.includes(':')
		? expand(address).map((group) => parseInt(group, 16))
		: address.split('.').map(Number);
	const width = address.includes(':') ? 16 : 8;
	const value = groups.reduce((sum, group) => (sum << BigInt(width)) | BigInt(group), 0n);
	const hostBits = BigInt(groups.length * width - length);
	return (value & ((1n << hostBits) - 1n)) === 0n;
}

function expand(address: string): string[] {
	const [head = '', tail] = address.split('::');
	const left = head === '' ? [] : head.split(':');
	const right = tail === undefined || tail === '' ? [] : tail.split(':');
	return [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
}

const directory = z
	.string()
	.trim()
	.max(255, 'At most 255 characters.')
	.regex(/^\/[A-Za-z0-9._/-]+$/, 'Write an absolute path of letters, digits, dots, dashes and slashes.')
	.refine((path) => !path.split('/').includes('..'), 'The path must not go up with "..".');

/** host, [v6]:port, v4:port or a bare address of a resolver. */
const resolver = z
	.string()
	.trim()
	.max(70)
	.refine((text) => {
		const [, bracketed, rest, port = '53'] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
		return canonicalAddress(bracketed ?? rest ?? text) !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
	}, 'Write the address of a resolver, like 9.9.9.9 or [2620:fe::fe]:53.');

/** Printable ASCII as RFC 3986 has it. Without user and password: those would be shown, unlike the key. */
const baseUrl = z
	.url({ protocol: /^https?$/, error: 'Write a web address, like https://ai.example.com/v1.' })
	.max(255, 'At most 255 characters.')
	.regex(/^[\x21-\x7e]*$/, 'Only letters, digits and signs of an English keyboard, without spaces.')
	.refine(
		(text) => !/^[a-z]+:\/\/[^/?#]*@/i.test(text),
		'No user name or password in the address: enter the key below.'
	);

const ai = z.strictObject({
	provider: z.enum(['openai', 'anthropic', 'openai-compatible']),
	baseUrl: baseUrl.nullable().optional(),
	model: line(100).nullable().optional(),
	/** Absent keeps the stored key, null clears it. */
	apiKey: secretText({ max: 500 }).nullable().optional()
});

/** RFC 5322 section 3.6, MIME, lists and signatures: what a message may not lose. Lower case. */
const neededHeaders =
	'from sender reply-to to cc bcc message-id in-reply-to references subject date received return-path mime-version content-type content-transfer-encoding dkim-signature list-id list-unsubscribe list-unsubscribe-post'.split(
		' '
	);

export const updateSettings = z.strictObject({
	version: seenVersion,
	hostname: hostName().nullable().optional(),
	listeners: z.array(listener).max(64).nullable().optional(),
	relayHosts: z.array(cidr).max(1000).optional(),
	relayHostsOverride: z.array(cidr).max(1000).optional(),
	tls: z
		.strictObject({
			name: z
				.string()
				.trim()
				.toLowerCase()
				.regex(/^[a-z0-9][a-z0-9.-]{0,252}$/, 'Name the folder below etc/tls: letters, digits, dots and dashes.')
				.refine((name) => !name.includes('..'), 'Two dots in a row are not allowed.')
		})
		.nullable()
		.optional(),
	defaultPoolId: z
		.string()
		.regex(/^[a-z0-9]{16}$/)
		.nullable()
		.optional(),
	campaignHeader: z
		.string()
		.trim()
		.regex(/^[A-Za-z0-9-]{1,64}$/, 'A header name: letters, digits and dashes.')
		.refine(
			(name) => !neededHeaders.includes(name.toLowerCase()),
			'Mail needs this header, and the campaign header is taken out of every message. Choose a name of its own, like X-Campaign.'
		)
		.nullable()
		.optional(),
	httpApi: z.enum(['trusted', 'credential']).optional(),
	resolvers: z.array(resolver).max(8).optional(),
	logs: z
		.strictObject({ directory, maxSegmentSeconds: z.int().min(1).max(86_400), retentionDays: z.int().min(1).max(3650) })
		.optional(),
	spool: z
		.strictObject({ directory, kind: z.enum(['LocalDisk', 'RocksDB']), minFreePercent: z.int().min(1).max(50) })
		.optional(),
	/** More of the operator's own files that KumoMTA shall watch. */
	monitorGlobs: z
		.array(
			z
				.string()
				.trim()
				.max(255)
				.regex(/^\/[A-Za-z0-9._/*{},-]+$/, 'Write an absolute path; * is allowed.')
				.refine((path) => !path.includes('..'), 'The path must not go up with "..".')
		)
		.max(20)
		.optional(),
	/** How long an apply is watched after the last configuration epoch; 0: not at all. */
	watchSeconds: z
		.int('Seconds are a whole number.')
		.min(0, 'From 0 to 600 seconds.')
		.max(600, 'From 0 to 600 seconds.')
		.optional(),
	/** An apply that restarts KumoMTA is taken back unless somebody confirms it within five minutes. */
	confirmListeners: z.boolean().optional(),
	ai: ai.nullable().optional()
});

export const settingsItem = z.object({
	hostname: z.string().nullable(),
	/** Null: the default, 0.0.0.0:25 inbound and 0.0.0.0:587 submission. */
	listeners: z.array(z.object({ address: z.string(), port: z.int(), purpose })).nullable(),
	relayHosts: z.array(z.string()),
	relayHostsOverride: z.array(z.string()),
	tls: z.object({ name: z.string() }).nullable(),
	defaultPoolId: z.string().nullable(),
	campaignHeader: z.string().nullable(),
	httpApi: z.enum(['trusted', 'credential']),
	resolvers: z.array(z.string()),
	logs: z.object({ directory: z.string(), maxSegmentSeconds: z.int(), retentionDays: z.int() }),
	spool: z.object({ directory: z.string(), kind: z.enum(['LocalDisk', 'RocksDB']), minFreePercent: z.int() }),
	monitorGlobs: z.array(z.string()),
	watchSeconds: z.int(),
	confirmListeners: z.boolean(),
	ai: z
		.object({ provider: z.string(), baseUrl: z.string().nullable(), model: z.string().nullable(), apiKey: secretState })
		.nullable(),
	updatedAt: z.int().nullable(),
	version: z.int()
});
