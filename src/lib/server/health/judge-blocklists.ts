import { counted } from '../../shared/counted.ts';
import type { Answer } from '../dns/service.ts';
import type { BlocklistZone } from './blocklist-zones.ts';
import { failed, ok, unknown } from './check.ts';
import type { Finding } from './check.ts';

export type Listing =
	| { state: 'listed'; codes: string[] }
	| { state: 'clear' }
	/** The list answered the resolver, not the question: refused, over its limit, or no such zone. */
	| { state: 'refused'; why: string };

/** Spamhaus and others answer these to a resolver that they do not serve. */
const errorAnswers: Record<string, string> = {
	'127.255.255.252': 'the name of the list is misspelt',
	'127.255.255.254': 'it does not serve large public resolvers; use one of your own',
	'127.255.255.255': 'too many questions came from this resolver'
};

/** A listing is an address in 127.0.0.0/8 (RFC 5782 2.1); anything else comes from a resolver that makes answers up. */
export function listingOf(answer: Answer<string>): Listing {
	if (answer.state === 'none') return { state: 'clear' };
	if (answer.state === 'failed')
		return { state: 'refused', why: answer.reason === 'timeout' ? 'no answer in time' : 'the resolver got no answer' };
	const error = answer.values.find((value) => value.startsWith('127.255.255.'));
	if (error !== undefined) return { state: 'refused', why: errorAnswers[error] ?? 'it answered with an error' };
	const codes = answer.values.filter((value) => /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(value));
	if (codes.length === answer.values.length) return { state: 'listed', codes };
	return { state: 'refused', why: 'the resolver makes up answers for names that do not exist' };
}

/**
 * Whether a list can be believed through this resolver: it must list 127.0.0.2 and must not list 127.0.0.1 (RFC 5782 5).
 * Undefined when it can; otherwise why not.
 */
export function whyUnusable(present: Listing, absent: Listing): string | undefined {
	if (present.state === 'refused') return present.why;
	if (present.state === 'clear') return 'it does not answer its own test entry: this resolver is probably blocked';
	if (absent.state === 'listed') return 'it lists every address: it was probably given up';
	return absent.state === 'refused' ? absent.why : undefined;
}

export interface AskedZone {
	zone: BlocklistZone;
	/** Why nothing it says can be believed here. */
	unusable?: string | undefined;
	answers: { address: string; listing: Listing }[];
}

export function judgeBlocklists(asked: AskedZone[], { addresses, left }: { addresses: number; left: number }): Finding {
	if (addresses === 0)
		return unknown('No source has a public address, so there was nothing to ask.', {
			mend: 'Enter the public address of each source.',
			href: '/sources'
		});
	const listed = asked.flatMap(({ zone, answers }) =>
		answers.flatMap(({ address, listing }) =>
			listing.state === 'listed' ? [{ address, zone, codes: listing.codes }] : []
		)
	);
	const unusable = asked.flatMap(({ zone, unusable: why }) =>
		why === undefined ? [] : [`${zone.name} was not asked: ${why}.`]
	);
	const refused = asked.flatMap(({ zone, answers }) => {
		const [first, ...others] = answers.flatMap(({ address, listing }) =>
			listing.state === 'refused' ? [`${zone.name} said nothing about ${address}: ${listing.why}`] : []
		);
		return first === undefined
			? []
			: [others.length === 0 ? `${first}.` : `${first}; nor about ${others.length} more.`];
	});
	const details = [
		...listed.map(({ address, zone, codes }) => {
			const notes = codes.map((code) => zone.notes?.[code] ?? code).join(', ');
			return `${address} is on ${zone.name} (${notes}): ${zone.page}`;
		}),
		...unusable,
		...refused,
		...(left > 0 ? [`${counted(left, 'address')} more ${left === 1 ? 'was' : 'were'} not asked about.`] : [])
	];
	if (listed.length > 0)
		return failed(
			`${counted(new Set(listed.map(({ address }) => address)).size, 'address')} of ${addresses} is on a blocklist.`,
			{
				mend: 'Find out why first (a hacked sender, bought addresses, complaints), stop it, then ask the list for removal on its page.',
				href: '/feedback',
				details
			}
		);
	const believed = asked.filter((each) => each.unusable === undefined);
	if (believed.length === 0 || refused.length > 0)
		return unknown('No address was found on a blocklist, but not every list could be asked.', {
			mend: 'Lists answer a resolver of your own, not large public ones. Install one (unbound) and name it in Settings.',
			href: '/settings#field=resolvers',
			details
		});
	const names = believed.map(({ zone }) => zone.name).join(', ');
	return ok(`No address of ${addresses} is on ${names}.`, { details });
}
