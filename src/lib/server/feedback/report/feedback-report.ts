import { addressOf, addressesIn, momentIn, shown } from './fields.ts';
import { fieldOf, readHead } from './headers.ts';
import type { Effort, Lines } from './lines.ts';
import type { ReportedComplaint } from './report.ts';

/** IANA's feedback report types (RFC 5965 7.3, RFC 6430, RFC 6591). */
export const complaintClasses: ReadonlySet<string> = new Set(
	'abuse fraud virus not-spam opt-out auth-failure dmarc'.split(' ')
);

/** Reports of these types carry no complaint: somebody says it is wanted, or a server says how it was authenticated. */
const noComplaint = new Set(['not-spam', 'auth-failure', 'dmarc']);

export const isComplaint = (type: string): boolean => !noComplaint.has(type);

/** The body of a `message/feedback-report` part (RFC 5965 3). */
export function readFeedbackReport(body: Lines, effort: Effort) {
	const head = readHead(body, effort);
	const all = (name: string) => (head.fields.get(name) ?? []).slice(0, 50);
	const written = fieldOf(head, 'feedback-type').toLowerCase();
	const type = complaintClasses.has(written) ? written : 'other';
	const complaint: ReportedComplaint = {
		type,
		isComplaint: isComplaint(type),
		mailFrom: addressOf(fieldOf(head, 'original-mail-from')),
		recipients: [...new Set([...all('original-rcpt-to'), ...all('removal-recipient')].flatMap(addressesIn))],
		sourceAddress: shown(fieldOf(head, 'source-ip'), 64),
		reportedDomains: all('reported-domain').map((name) => shown(name, 255)),
		agent: shown(fieldOf(head, 'user-agent'), 100),
		incidents: Math.max(1, Number(/^\d{1,9}/.exec(fieldOf(head, 'incidents'))?.[0] ?? 1)),
		at: momentIn(fieldOf(head, 'arrival-date') || fieldOf(head, 'received-date'))
	};
	const reporter = fieldOf(head, 'reporting-mta').replace(/^[a-z-]{1,20}\s*;\s*/i, '');
	return { complaint, reporter: shown(reporter, 255), envelopeId: shown(fieldOf(head, 'original-envelope-id'), 255) };
}
