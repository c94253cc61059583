import { dnsWords } from './key-words';
import type { Key } from './key-words';

export type KeyAct = 'activate' | 'retire' | 'remove';

export function actsOf({ state }: Pick<Key, 'state'>): KeyAct[] {
	if (state === 'pending') return ['activate', 'remove'];
	return state === 'active' ? ['retire', 'remove'] : ['remove'];
}

interface Situation {
	key: Key;
	/** The domain's, in Unicode. */
	domainName: string;
	/** Keys that sign today. */
	activeKeys: number;
}

/** What an act on a key will do, one line each. */
export const effectsOf: Record<KeyAct, (situation: Situation) => string[]> = {
	activate: ({ key, domainName }) => [
		`From the next apply on, ${key.selector} signs the mail of ${domainName}.`,
		'DNS is not asked before: a signature whose record is not visible counts as none.',
		`At the last check: ${dnsWords[key.dnsStatus]}.`
	],
	retire: ({ key, domainName, activeKeys }) => [
		`From the next apply on, ${key.selector} signs nothing any more. It does not sign again.`,
		'Its record must stay in DNS for 7 days: mail that is under way still carries its signature.',
		...lastKeyWarning(activeKeys, domainName)
	],
	remove: ({ key, domainName, activeKeys }) => [
		`The private key is gone for good, and no other key of ${domainName} will ever be called ${key.selector}.`,
		...(key.state === 'active' ? lastKeyWarning(activeKeys, domainName) : []),
		...(key.state === 'active' || key.state === 'retiring'
			? ['Mail under way carries its signature: keep its record in DNS for 7 more days.']
			: ['Its record can be taken out of DNS.'])
	]
};

function lastKeyWarning(activeKeys: number, domainName: string): string[] {
	return activeKeys > 1 ? [] : [`No other key signs: ${domainName} falls out of the policy and cannot send.`];
}
