import { plainText } from '../core/plain-text.ts';
import { maskCommand, maskText } from './mask.ts';

/** A complaint as KumoMTA read it (RFC 5965). */
export interface Complaint {
	type: string;
	recipients: string[];
	mailFrom: string;
	/** The first 64 KB of the message that was complained about. */
	original: Buffer;
	/** Recipients that KumoMTA itself wrote into the message when it left. */
	traced: string[];
}

/** One record of KumoMTA's log: bounded, without credentials, every text on one line. */
export interface LogRecord {
	type: string;
	id: string;
	sender: string;
	recipients: string[];
	code: number | null;
	/** Enhanced status code, `5.1.1`. */
	status: string | null;
	content: string;
	command: string | null;
	peer: string;
	/** Milliseconds since 1970 UTC. */
	at: number;
	classification: string;
	/** What our policy knew about the message. */
	meta: { tenant: string; sender: string; domain: string };
	complaint: Complaint | null;
}

const maxAddress = 320;
const maxRecipients = 1000;
const maxOriginal = 65_536;

type Fields = Record<string, unknown>;

const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});
const textOf = (value: unknown, max: number) => (typeof value === 'string' ? plainText(value, max) : '');
const wholeOf = (value: unknown) => (typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined);

function textsOf(value: unknown, max: number): string[] {
	const values: unknown[] = Array.isArray(value) ? value.slice(0, maxRecipients) : [value];
	return values.map((each) => textOf(each, max)).filter((each) => each !== '');
}

/**
 * The type of a record without a look at the rest: KumoMTA writes it first. Undefined when it does not stand there.
 */
export function leadingType(line: string): string | undefined {
	const lead = '{"type":"';
	if (!line.startsWith(lead)) return undefined;
	const end = line.indexOf('"', lead.length);
	return end > 0 && end < 60 ? line.slice(lead.length, end) : undefined;
}

/** Undefined when the line is no record. Fields are added over releases, and absent and null both occur. */
export function parseRecord(line: string): LogRecord | undefined {
	const record = parsedFields(line);
	const type = textOf(record['type'], 60);
	if (type === '') return undefined;
	const response = fieldsOf(record['response']);
	const command = response['command'];
	const meta = fieldsOf(record['meta']);
	return {
		type,
		id: textOf(record['id'], 64),
		sender: textOf(record['sender'], maxAddress),
		recipients: textsOf(record['recipient'], maxAddress),
		code: wholeOf(response['code']) ?? null,
		status: statusOf(response['enhanced_code']),
		content: maskText(textOf(response['content'], 1000)),
		command: typeof command === 'string' ? maskCommand(plainText(command, 500)) : null,
		peer: textOf(fieldsOf(record['peer_address'])['name'], 255),
		at: momentOf(record),
		classification: textOf(record['bounce_classification'], 60),
		meta: {
			tenant: textOf(meta['tenant'], 100),
			sender: textOf(meta['x_sender'], 64),
			domain: textOf(meta['x_domain'], 255)
		},
		complaint: complaintOf(record['feedback_report'])
	};
}

function parsedFields(line: string): Fields {
	try {
		return fieldsOf(JSON.parse(line));
	} catch {
		return {};
	}
}

function statusOf(value: unknown): string | null {
	const { class: kind, subject, detail } = fieldsOf(value);
	const parts = [kind, subject, detail].map(wholeOf);
	return parts.every((part) => part !== undefined && part >= 0 && part < 1000) ? parts.join('.') : null;
}

/** `event_time` has fractions and came with KumoMTA 2025.10.06; `timestamp` counts seconds. */
function momentOf(record: Fields): number {
	const precise = typeof record['event_time'] === 'string' ? Date.parse(record['event_time'].slice(0, 40)) : NaN;
	if (Number.isSafeInteger(precise)) return Math.max(0, precise);
	return Math.max(0, (wholeOf(record['timestamp']) ?? 0) * 1000);
}

function complaintOf(value: unknown): Complaint | null {
	if (typeof value !== 'object' || value === null) return null;
	const report = value as Fields;
	const trace = fieldsOf(report['supplemental_trace']);
	return {
		type: textOf(report['feedback_type'], 40).toLowerCase(),
		// Misspelt in KumoMTA's records.
		recipients: [
			...textsOf(report['original_rcpto_to'], maxAddress),
			...textsOf(report['original_rcpt_to'], maxAddress)
		],
		mailFrom: textOf(report['original_mail_from'], maxAddress),
		original: bytesOf(report['original_message']),
		traced: textsOf(trace['recipient'], maxAddress)
	};
}

/** A string, or a list of bytes where the message is not UTF-8, and always before KumoMTA 2026.06.23. */
function bytesOf(value: unknown): Buffer {
	if (typeof value === 'string') return Buffer.from(value.slice(0, maxOriginal));
	return Array.isArray(value) ? Buffer.from(value.slice(0, maxOriginal) as number[]) : Buffer.alloc(0);
}
