import { isAutomaticReply, hasFailureSubject, isFromServer } from './automatic.ts';
import { readDeliveryStatus } from './delivery-status.ts';
import { readFeedbackReport } from './feedback-report.ts';
import { addressesIn, addressOf, isAddress, shown, shownText } from './fields.ts';
import { readFreeText } from './free-text.ts';
import { decodeWords } from './decode.ts';
import { fieldOf, readHead, wordsOf } from './headers.ts';
import type { Head } from './headers.ts';
import { lineAt, linesOf, maxBytes, step } from './lines.ts';
import type { Effort, Lines } from './lines.ts';
import { bodyLines, listParts, readableLines } from './parts.ts';
import type { Part } from './parts.ts';
import type { OriginalMessage, Report, ReportedRecipient } from './report.ts';

const maxSteps = 1_000_000;

/**
 * Reads a bounce, a complaint or another automatic message: RFC 3464 and 6533 delivery reports, RFC 5965 feedback reports,
 * and what servers write in their own forms. Pure, never throws, and its cost grows with the text up to a bound.
 */
export function readReport(bytes: Buffer, effort: Effort = { steps: 0, limit: maxSteps }): Report {
	const lines = linesOf(bytes.subarray(0, maxBytes).toString('latin1'));
	const { top, parts } = listParts(lines, effort);
	const report = reportOf({ top, parts, lines, effort });
	return {
		...nothing,
		from: shownText(decodeWords(fieldOf(top.head, 'from')), 320),
		to: addressesIn(deliveredTo(top.head))[0] ?? '',
		subject: shownText(wordsOf(top.head, 'subject'), 255),
		...report,
		original: report.original ?? originalIn(parts, effort),
		isCut: bytes.length > maxBytes || effort.steps > effort.limit
	};
}

const nothing = { kind: 'none' as const, shape: null, reporter: '', envelopeId: '', recipients: [], complaint: null };

type Found = Partial<Report>;

interface Reading {
	top: Part;
	parts: Part[];
	lines: Lines;
	effort: Effort;
}

const deliveredTo = (head: Head) =>
	fieldOf(head, 'delivered-to') || fieldOf(head, 'x-original-to') || fieldOf(head, 'to');

/** Machine-readable parts first, whatever the text beside them says. */
function reportOf(reading: Reading): Found {
	const { top, parts, effort } = reading;
	for (const part of parts) {
		if (part.type === 'message/feedback-report') return complaintOf(part, reading);
		const found = isStatus(part.type) ? readDeliveryStatus(bodyLines(part, effort), effort) : undefined;
		if (found !== undefined) return { kind: 'delivery', shape: 'rfc3464', ...found };
	}
	if (parts.some(({ type }) => type === 'message/disposition-notification'))
		return { kind: 'receipt', shape: 'rfc8098' };
	const listed = statusLines(reading);
	if (listed !== undefined) return listed;
	const forwarded = complaintAboutOriginal(reading);
	if (forwarded !== undefined) return forwarded;
	if (isAutomaticReply(top.head)) return { kind: 'auto-reply' };
	return textReport(reading) ?? {};
}

const isStatus = (type: string) => /^message\/(?:global-)?delivery-status$/.test(type);

function complaintOf(part: Part, { parts, effort }: Reading): Found {
	const { complaint, reporter, envelopeId } = readFeedbackReport(bodyLines(part, effort), effort);
	const original = originalIn(parts, effort);
	const named = complaint.recipients.length > 0 ? complaint.recipients : (original?.recipients ?? []);
	const mailFrom = complaint.mailFrom || original?.returnPath || '';
	return {
		kind: 'complaint',
		shape: 'rfc5965',
		reporter,
		envelopeId,
		complaint: { ...complaint, mailFrom, recipients: named },
		original
	};
}

/** The fields of RFC 3464 outside a part of their own: a report whose frame was lost, or only its middle. */
function statusLines({ lines, parts, effort }: Reading): Found | undefined {
	const texts = parts.filter(({ type }) => type.startsWith('text/')).map((part) => bodyLines(part, effort));
	for (const body of [...texts, lines])
		for (let at = body.from; at < body.to && step(effort); at += 1) {
			if (!/^(?:Reporting-MTA|Final-Recipient)\s*:/i.test(lineAt(body, at))) continue;
			const found = readDeliveryStatus({ ...body, from: at }, effort);
			if (found !== undefined) return { kind: 'delivery', shape: 'rfc3464', ...found };
			break;
		}
	return undefined;
}

/** Microsoft's complaint programme returns the message alone, and writes the recipient into it. */
function complaintAboutOriginal({ top, parts, effort }: Reading): Found | undefined {
	const original = originalIn(parts, effort);
	if (original === null || !original.isMarked) return undefined;
	const from = /complaint about message from ([0-9a-f.:]{3,45})/i.exec(wordsOf(top.head, 'subject'))?.[1] ?? '';
	const complaint = {
		type: 'abuse',
		isComplaint: true,
		mailFrom: original.returnPath,
		recipients: original.recipients,
		sourceAddress: shown(from, 64),
		reportedDomains: [],
		agent: '',
		incidents: 1,
		at: null
	};
	return { kind: 'complaint', shape: 'microsoft', complaint, original };
}

function textReport({ top, parts, lines: whole, effort }: Reading): Found | undefined {
	const part = parts.find(({ type }) => type === 'text/plain') ?? parts.find(({ type }) => type === 'text/html');
	if (part === undefined) return undefined;
	const failed = (top.head.fields.get('x-failed-recipients') ?? []).flatMap(addressesIn);
	const isBare = !['from', 'to', 'received', 'subject'].some((name) => top.head.fields.has(name));
	if (failed.length === 0 && !isBare && !isFromServer(top.head) && !hasFailureSubject(top.head)) return undefined;
	const own = new Set([...addressesIn(fieldOf(top.head, 'from')), ...addressesIn(deliveredTo(top.head))]);
	// Without a head, what looks like one is text.
	const lines = readableLines(isBare ? { ...part, body: whole } : part, effort);
	const found = readFreeText(lines, { own, failed, effort });
	const recipients = found?.recipients ?? failed.map(bareFailure);
	if (recipients.length === 0) return undefined;
	const head = found?.originalFrom === undefined ? undefined : headIn(lines, found.originalFrom, effort);
	return {
		kind: 'delivery',
		shape: found?.shape ?? 'text',
		recipients,
		reporter: shown(/@([A-Za-z0-9.-]{1,255})/.exec(fieldOf(top.head, 'from'))?.[1] ?? '', 255),
		original: (head && originalOf(head)) ?? originalIn(parts, effort)
	};
}

const bareFailure = (address: string): ReportedRecipient => ({
	address,
	original: null,
	action: 'failed',
	status: null,
	code: null,
	diagnostic: '',
	remote: '',
	at: null,
	willRetryUntil: null
});

interface Original extends OriginalMessage {
	recipients: string[];
	/** The complaint programme's own field is in it. */
	isMarked: boolean;
}

function originalIn(parts: Part[], effort: Effort): Original | null {
	const part = parts.find(({ type }) =>
		/^(?:message\/(?:rfc822|global)|text\/rfc822-headers|message\/global-headers)$/.test(type)
	);
	return part === undefined ? null : originalOf(readHead(bodyLines(part, effort), effort));
}

/** What the first bytes of a message say of it; null when nothing of use. */
export function readOriginal(bytes: Buffer): Original | null {
	const lines = linesOf(bytes.subarray(0, maxBytes).toString('latin1'));
	return originalOf(readHead(lines, { steps: 0, limit: maxSteps }));
}

function originalOf(head: Head): Original | null {
	const marked = addressesIn(fieldOf(head, 'x-hmxmroriginalrecipient'));
	const to = addressesIn(wordsOf(head, 'to'));
	const returnPath = addressOf(fieldOf(head, 'return-path'));
	const original = {
		messageId: shown(fieldOf(head, 'message-id'), 255),
		from: shownText(decodeWords(fieldOf(head, 'from')), 320),
		to: shownText(decodeWords(fieldOf(head, 'to')), 320),
		subject: shownText(wordsOf(head, 'subject'), 255),
		returnPath: isAddress(returnPath) ? returnPath : ''
	};
	const isEmpty = Object.values(original).every((text) => text === '');
	// Several recipients in the head say nothing about who complained.
	const recipients = marked.length > 0 ? marked : to.length === 1 ? to : [];
	return isEmpty ? null : { ...original, recipients, isMarked: marked.length > 0 };
}

/** The head of a message that follows in a text; a line that announces it and blank lines are passed over. */
function headIn(text: string[], from: number, effort: Effort): Head | undefined {
	const all = text.slice(from, from + 300).map((line) => Buffer.from(line).toString('latin1'));
	const first = all.findIndex(
		(line) =>
			/^[ >]{0,8}[!-9;-~]{1,60}: /.test(line) &&
			/^[ >]{0,8}(?:Received|Return-Path|From|To|Subject|Date|Message-I|MIME|DKIM|X-|Sender|Reply-To)/i.test(line)
	);
	if (first < 0) return undefined;
	const lines = all.slice(first).map((line) => line.replace(/^>\s?/, ''));
	return readHead({ all: lines, from: 0, to: lines.length }, effort);
}
