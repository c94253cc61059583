import { addressOf, codeIn, isAddress, shownText, statusIn } from './fields.ts';
import { step } from './lines.ts';
import type { Effort } from './lines.ts';
import { maxRecipients } from './report.ts';
import type { Action, ReportedRecipient } from './report.ts';
import { delaySigns, failureSigns, originalMark, shapes } from './shapes.ts';

const maxTextLines = 400;
const maxLine = 1000;
const reasonLines = 12;

export interface FreeText {
	shape: string;
	recipients: ReportedRecipient[];
	/** Where the returned message begins, if it follows in the text. */
	originalFrom: number | undefined;
}

interface Mention {
	address: string;
	line: number;
}

/**
 * Reads what a server wrote for people.
 * @param own addresses that are no recipients: who the report is from and to.
 * @param failed recipients that the head of the report names (`X-Failed-Recipients`).
 */
export function readFreeText(
	all: string[],
	{ own, failed, effort }: { own: ReadonlySet<string>; failed: string[]; effort: Effort }
): FreeText | undefined {
	const originalFrom = startOfOriginal(all, effort);
	const lines = all
		.slice(0, originalFrom ?? maxTextLines)
		.slice(0, maxTextLines)
		.map((line) => line.slice(0, maxLine));
	const text = lines.join('\n');
	const shape = shapes.find(({ signs }) => signs.test(text));
	if (shape === undefined || !step(effort, lines.length)) return undefined;
	const action = actionOf(text);
	const mentions =
		failed.length > 0 ? placesOf(failed, lines, effort) : mentionsIn(lines, shape.mention, { own, effort });
	const recipients = mentions.map((mention, index) =>
		recipientOf(lines, mention, {
			end: mentions[index + 1]?.line ?? lines.length,
			action,
			isOnly: mentions.length === 1
		})
	);
	const isSaid = failed.length > 0 || shape.name !== 'any' || recipients.some(hasCode) || failureSigns.test(text);
	if (recipients.length === 0 || !isSaid) return undefined;
	return { shape: shape.name === 'any' ? 'text' : shape.name, recipients, originalFrom };
}

const hasCode = ({ code, status }: ReportedRecipient) => code !== null || status !== null;
const actionOf = (text: string): Action => (delaySigns.test(text) && !failureSigns.test(text) ? 'delayed' : 'failed');

/** The first line of the returned message: behind a line that announces it, or a head that begins by itself. */
function startOfOriginal(lines: string[], effort: Effort): number | undefined {
	for (let at = 0; at < Math.min(lines.length, 5000) && step(effort); at += 1) {
		const line = lines[at] ?? '';
		if (/^(?:Received|Return-Path|DKIM-Signature): \S/i.test(line)) return at;
		if (originalMark.test(line.slice(0, 200))) return at;
	}
	return undefined;
}

function mentionsIn(
	lines: string[],
	mention: RegExp,
	{ own, effort }: { own: ReadonlySet<string>; effort: Effort }
): Mention[] {
	const found = new Map<string, Mention>();
	for (let line = 0; line < lines.length && found.size < maxRecipients && step(effort); line += 1) {
		const match = mention.exec(lines[line] ?? '');
		const address = addressOf(match?.slice(1).find((group) => group !== undefined) ?? '');
		if (isAddress(address) && !own.has(address) && !found.has(address)) found.set(address, { address, line });
	}
	return [...found.values()];
}

function placesOf(failed: string[], lines: string[], effort: Effort): Mention[] {
	const lower = lines.map((line) => line.toLowerCase());
	return failed
		.slice(0, 50)
		.map((address) => ({
			address,
			line: step(effort, lines.length) ? lower.findIndex((line) => line.includes(address)) : -1
		}))
		.map(({ address, line }) => ({ address, line: Math.max(0, line) }))
		.sort((a, b) => a.line - b.line);
}

interface Section {
	/** Where the next recipient is named. */
	end: number;
	action: Action;
	isOnly: boolean;
}

function recipientOf(lines: string[], mention: Mention, section: Section): ReportedRecipient {
	const own = reasonIn(lines, mention.line, section.end);
	const reason = isCoded(own) ? own : (verdictIn(lines, mention, section) ?? own);
	return {
		address: mention.address,
		original: null,
		action: section.action,
		status: statusIn(reason),
		code: codeIn(reason),
		diagnostic: shownText(reason),
		remote: shownText(hostName.exec(reason)?.[1] ?? '', 255),
		at: null,
		willRetryUntil: null
	};
}

const hostName = /(?:host|from|by|server)\s+([A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8})/i;
const isCoded = (text: string) => statusIn(text) !== null || codeIn(text) !== null;

/** The rest of the line that names the recipient, and the lines that go on with it. */
function reasonIn(lines: string[], line: number, end: number): string {
	const rest = (lines[line] ?? '')
		.replace(/^[^@]{0,400}@[^\s>):]{0,253}[>):\s]{0,4}/, '')
		.replace(/^<mailto:[^>]{0,320}>/, '');
	const parts = [rest.trim()];
	for (let at = line + 1; at < Math.min(end, line + reasonLines, lines.length); at += 1) {
		const text = (lines[at] ?? '').trim();
		if (text === '' && parts.some((part) => part !== '')) break;
		parts.push(text);
	}
	return parts.filter((part) => part !== '').join(' ');
}

/**
 * The line with a code elsewhere in the text: one that names the recipient before others, one behind it before one in front.
 * Of several recipients none gets what was said of another.
 */
function verdictIn(lines: string[], { line, address }: Mention, { end, isOnly }: Section): string | undefined {
	const coded = lines.map((text, at) => ({ text: text.trim(), at })).filter(({ text }) => isCoded(text));
	const best =
		coded.find(({ text }) => text.toLowerCase().includes(address)) ??
		coded.find(({ at }) => at > line && at < end) ??
		(isOnly ? coded.find(({ at }) => at < line) : undefined);
	return best === undefined ? undefined : [best.text, (lines[best.at + 1] ?? '').trim()].join(' ').trim();
}
