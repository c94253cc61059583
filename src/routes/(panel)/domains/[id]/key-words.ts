import type { Outputs } from '$lib/api';
import type { BadgeKind } from '$lib/ui/badge-kind';

export type Key = Outputs['dkim']['list']['items'][number];

export const algorithmNames: Record<Key['algorithm'], string> = {
	'rsa-2048': 'RSA 2048',
	'rsa-4096': 'RSA 4096',
	ed25519: 'Ed25519'
};

export const keyStates: Record<Key['state'], { kind: BadgeKind; text: string }> = {
	pending: { kind: 'warn', text: 'pending' },
	active: { kind: 'ok', text: 'signing' },
	retiring: { kind: 'neutral', text: 'retiring' },
	retired: { kind: 'neutral', text: 'retired' }
};

/** What the last check saw of the key's record. */
export const dnsWords: Record<Key['dnsStatus'], string> = {
	ok: 'visible in DNS',
	missing: 'not in DNS',
	mismatch: 'another value in DNS',
	unknown: 'DNS not checked'
};
