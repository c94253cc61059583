import { emailAddress } from '../core/inputs.ts';
import type { TakenRecord } from '../mail-log/service.ts';
import { readReturnPath } from './verp.ts';
import type { feedbackEvents } from './tables.ts';

export type Event = Omit<typeof feedbackEvents.$inferInsert, 'id' | 'domainId' | 'senderId'> & {
	/** What our policy knew about the message when it left. */
	meta: { tenant: string; sender: string };
};

const kinds: Record<string, Event['kind']> = {
	Bounce: 'bounce',
	Expiration: 'expiry',
	OOB: 'report',
	Feedback: 'complaint'
};

/** The types of record that become events. */
export const feedbackTypes: ReadonlySet<string> = new Set(Object.keys(kinds));

/** IANA's feedback report types (RFC 5965 7.3, RFC 6430, RFC 6591); anything else is `other`: a stranger wrote it. */
const complaintClasses = new Set(['abuse', 'fraud', 'virus', 'not-spam', 'opt-out', 'auth-failure', 'dmarc']);

const normalised = (address: string) => emailAddress.safeParse(address).data || address.toLowerCase();

/** One event for each recipient. `now` bounds what a report says about when it happened. */
export function eventsOf({ record, segment, line }: TakenRecord, now: number): Event[] {
	const { complaint } = record;
	const returnPath = normalised(complaint?.mailFrom || record.sender);
	const kind = kinds[record.type] ?? 'bounce';
	const written = kind === 'bounce' || kind === 'expiry' ? null : (readReturnPath(returnPath)?.recipient ?? null);
	const named = complaint === null ? record.recipients : [...complaint.traced, ...complaint.recipients].slice(0, 1);
	return (named.length > 0 ? named : ['']).map(normalised).map((recipient) => ({
		at: Math.min(record.at, now),
		kind,
		class: kind === 'complaint' ? complaintClass(complaint?.type) : bounceClass(record.classification),
		recipient: written ?? recipient,
		named: written === null || written === recipient ? null : recipient,
		returnPath,
		code: record.code,
		status: record.status,
		diagnostic: record.content.slice(0, 500),
		reporter: record.peer,
		messageId: record.id,
		segment: segment.slice(0, 255),
		line,
		meta: { tenant: record.meta.tenant, sender: record.meta.sender }
	}));
}

const complaintClass = (type = '') => (complaintClasses.has(type) ? type : 'other');
const bounceClass = (text: string) => (/^[A-Za-z0-9_-]{1,40}$/.test(text) ? text : 'Uncategorized');
