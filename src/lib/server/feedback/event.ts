import { emailAddress } from '../core/inputs.ts';
import type { Complaint, TakenRecord } from '../mail-log/service.ts';
import { complaintClasses } from './report/feedback-report.ts';
import { readOriginal } from './report/read-report.ts';
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

const normalised = (address: string) => emailAddress.safeParse(address).data || address.toLowerCase();

/** One event for each recipient. `now` bounds what a report says about when it happened. */
export function eventsOf({ record, segment, line }: TakenRecord, now: number): Event[] {
	const { complaint } = record;
	// Some who complain name nobody; then the message that they return does.
	const isSilent = complaint !== null && (complaint.mailFrom === '' || named(complaint) === undefined);
	const original = isSilent && complaint.original.length > 0 ? readOriginal(complaint.original) : null;
	const returnPath = normalised(complaint?.mailFrom || original?.returnPath || record.sender);
	const kind = kinds[record.type] ?? 'bounce';
	const written = kind === 'bounce' || kind === 'expiry' ? null : (readReturnPath(returnPath)?.recipient ?? null);
	const recipients = complaint === null ? record.recipients : [named(complaint) ?? original?.recipients[0] ?? ''];
	return (recipients.length > 0 ? recipients : ['']).map(normalised).map((recipient) => ({
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

const named = ({ traced, recipients }: Complaint): string | undefined => traced[0] ?? recipients[0];
const complaintClass = (type = '') => (complaintClasses.has(type) ? type : 'other');
const bounceClass = (text: string) => (/^[A-Za-z0-9_-]{1,40}$/.test(text) ? text : 'Uncategorized');
