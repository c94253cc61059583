/** What became of a message for one recipient (RFC 3464 2.3.3). Only `failed` is a bounce. */
export type Action = 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded';

export interface ReportedRecipient {
	address: string;
	/** As the sender addressed it, where that differs. */
	original: string | null;
	action: Action;
	/** Enhanced status code, `5.1.1`. */
	status: string | null;
	/** SMTP reply code. */
	code: number | null;
	diagnostic: string;
	/** The server that said so. */
	remote: string;
	at: number | null;
	willRetryUntil: number | null;
}

export interface ReportedComplaint {
	/** A registered feedback type (RFC 5965 7.3), or `other`. */
	type: string;
	/** Somebody complained: not so for `not-spam` and for reports about authentication. */
	isComplaint: boolean;
	mailFrom: string;
	recipients: string[];
	sourceAddress: string;
	reportedDomains: string[];
	agent: string;
	incidents: number;
	at: number | null;
}

/** What is known of the message that the report is about. */
export interface OriginalMessage {
	messageId: string;
	from: string;
	to: string;
	subject: string;
	returnPath: string;
}

export interface Report {
	/** `none`: no report at all, or none that is understood. */
	kind: 'delivery' | 'complaint' | 'auto-reply' | 'receipt' | 'none';
	/** The form it was written in: `rfc3464`, `exim`, … */
	shape: string | null;
	from: string;
	to: string;
	subject: string;
	reporter: string;
	envelopeId: string;
	recipients: ReportedRecipient[];
	complaint: ReportedComplaint | null;
	original: OriginalMessage | null;
	/** Only the start was read. */
	isCut: boolean;
}

export const maxRecipients = 200;
