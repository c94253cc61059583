import { pbkdf2Sync } from 'node:crypto';
import type { PolicyInput } from '../../src/lib/server/policy/input.ts';
import { estateBcrypt, estateId, estateInput } from '../support/estate.ts';
import type { EstateSize } from '../support/estate.ts';

/** Ten or fewer hosts that may relay; the last address of the network is one of them. */
export const relayNetwork = '198.51.100.0/28';
export const campaignHeader = 'X-Campaign';

export const passwordOf = (address: string) => `correct-horse-${address.slice(0, 40)}`.padEnd(32, '.');

/** Bounce accounts of domain `number` by local part, and whether they receive. */
function accountsOf(number: number): [local: string, enabled: boolean][] {
	const accounts: [string, boolean][] = [];
	if (number % 3 !== 2) accounts.push(['replies', number % 9 !== 1]);
	if (number % 7 === 0) accounts.push(['postmaster', true]);
	if (number % 10 === 2) accounts.push(['fbl', true]);
	return accounts;
}

/** A hosting company with every kind of object: unready and strict domains, one and two keys, paused and mute senders. */
export function proofEstate(size: EstateSize): PolicyInput {
	const input = estateInput(size);
	input.settings = {
		...input.settings,
		listeners: [
			{ address: '0.0.0.0', port: 25, purpose: 'inbound' },
			{ address: '0.0.0.0', port: 587, purpose: 'submission' },
			{ address: '0.0.0.0', port: 2525, purpose: 'relay' }
		],
		relayHosts: [relayNetwork],
		campaignHeader
	};
	input.domains.forEach((domain, number) => {
		domain.acceptAnyReturnPath = number % 3 !== 1;
		domain.reportFailures = number % 4 !== 3;
		domain.suppression = number % 4 !== 2;
		if (number % 5 === 2) domain.complaintAddress = `fbl@${domain.bounceHost}`;
	});
	input.dkimKeys = input.dkimKeys.flatMap((key, number) => {
		if (number % 20 === 3) return [];
		const second = { ...key, id: estateId('second key', number), selector: 'k2', algorithm: 'ed25519' as const };
		return number % 4 === 1 ? [key, second] : [key];
	});
	input.mailboxes = input.domains.flatMap((domain, number) =>
		accountsOf(number).map(([local, enabled]) => ({
			id: estateId(`mailbox ${local}`, number),
			domainId: domain.id,
			address: `${local}@${domain.bounceHost}`,
			enabled,
			login: number % 2 === 0 ? null : { hash: estateBcrypt(number), quotaBytes: 1_048_576 }
		}))
	);
	varySenders(input, Math.ceil(size.senders / size.domains));
	return input;
}

function varySenders({ senders }: PolicyInput, perDomain: number): void {
	senders.forEach((sender, number) => {
		const domain = Math.floor(number / perDomain);
		const place = number % perDomain;
		const isWide = (place === 1 && domain % 2 === 0) || (place === 2 && domain % 6 === 0);
		sender.fromPolicy = isWide ? 'domain' : 'address';
		sender.verifier = number % 23 === 5 ? null : verifier(sender, number % 400 === 8 ? 4096 : 1);
	});
}

function verifier({ address }: PolicyInput['senders'][number], iterations: number) {
	const salt = Buffer.from(address).toString('hex').slice(0, 32).padEnd(32, '0');
	const hash = pbkdf2Sync(passwordOf(address), Buffer.from(salt, 'hex'), iterations, 32, 'sha256').toString('hex');
	return { salt, hash, iterations };
}
