/**
 * Lists of addresses that many receivers ask (RFC 5782). Asking them is free for a small server through its own resolver;
 * each has its own rules of use, and most refuse large public resolvers. `wants` says what a receiver does with a listing.
 */
export interface BlocklistZone {
	zone: string;
	name: string;
	/** Where one looks an address up and asks for its removal. */
	page: string;
	/** Takes IPv6 addresses too. */
	hasV6: boolean;
	/** Answers in 127.0.0.0/8 that are no listing of a mail sender, and what they say. */
	notes?: Record<string, string>;
}

export const blocklistZones: BlocklistZone[] = [
	{
		zone: 'zen.spamhaus.org',
		name: 'Spamhaus ZEN',
		page: 'https://check.spamhaus.org/',
		hasV6: true,
		notes: {
			'127.0.0.10': 'PBL: its provider says that no mail server should be there',
			'127.0.0.11': 'PBL: a network whose addresses should not send mail directly'
		}
	},
	{ zone: 'bl.spamcop.net', name: 'SpamCop', page: 'https://www.spamcop.net/bl.shtml', hasV6: false },
	{ zone: 'psbl.surriel.com', name: 'PSBL', page: 'https://psbl.org/', hasV6: false },
	{ zone: 'bl.mailspike.net', name: 'Mailspike', page: 'https://mailspike.io/ip_verify', hasV6: false },
	{
		zone: 'b.barracudacentral.org',
		name: 'Barracuda',
		page: 'https://www.barracudacentral.org/lookups',
		hasV6: false
	}
];
