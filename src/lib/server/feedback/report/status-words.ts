import type { Action } from './report.ts';

/** RFC 3463 3, and what RFC 5248, 7372 and 7505 added, in words for who sent the mail. */
const details: Record<string, string> = {
	'1.1': 'There is no such mailbox at this domain.',
	'1.2': 'The domain of this address does not exist or takes no mail.',
	'1.3': 'The address is not written as one.',
	'1.4': 'The address fits several mailboxes.',
	'1.6': 'The mailbox has moved and left no new address.',
	'1.8': 'The domain of the return path does not exist or takes no mail.',
	'1.10': 'The domain says that it takes no mail at all.',
	'2.1': 'The mailbox is switched off or closed.',
	'2.2': 'The mailbox is full.',
	'2.3': 'The message is larger than this mailbox takes.',
	'3.2': 'The other system takes no mail at the moment.',
	'3.4': 'The message is larger than the other system takes.',
	'4.1': 'The other server did not answer.',
	'4.2': 'The connection broke off.',
	'4.4': 'No way to the other server was found in DNS.',
	'4.6': 'The message went round in a circle.',
	'4.7': 'It could not be delivered for so long that it was given up.',
	'5.3': 'Too many recipients at once.',
	'6.7': 'The address needs SMTPUTF8, which the other server has not.',
	'7.1': 'The other server refused it by its rules: reputation, content or rate.',
	'7.20': 'No DKIM signature passed that the other server accepts.',
	'7.23': 'SPF failed.',
	'7.25': 'The sending address has no matching reverse DNS name.',
	'7.26': 'Neither SPF nor DKIM passed, or DMARC failed.',
	'7.27': 'The domain of the return path says that it takes no mail.',
	'7.28': 'Too much mail at once for the other server.'
};

const subjects: Record<string, string> = {
	'1': 'Something is wrong with the address.',
	'2': 'Something is wrong with the mailbox.',
	'3': 'Something is wrong with the other mail system.',
	'4': 'Something is wrong on the way there.',
	'5': 'The servers did not understand each other.',
	'6': 'The other server cannot take such content.',
	'7': 'The other server refused it by its rules.'
};

const outcomes: Record<Action, string> = {
	failed: '',
	delayed: 'Not delivered yet; the server keeps trying.',
	delivered: 'It was delivered.',
	relayed: 'It was passed on to a system that reports nothing.',
	expanded: 'It was passed on to the members of a list.'
};

/** What a status says, in a sentence or two. Empty when nothing is known. */
export function meaningOf({
	status,
	code,
	action
}: {
	status: string | null;
	code: number | null;
	action: Action;
}): string {
	if (action === 'delivered' || action === 'relayed' || action === 'expanded') return outcomes[action];
	const [, subject = '', detail = ''] = status?.split('.') ?? [];
	const cause = details[`${subject}.${detail}`] ?? subjects[subject] ?? '';
	const digit = status?.[0] ?? (code === null ? '' : String(code)[0]);
	const weight = digit === '5' ? 'Refused for good.' : digit === '4' ? 'Refused for now.' : '';
	return [cause, outcomes[action] || weight].filter(Boolean).join(' ');
}
