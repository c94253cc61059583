import { fromUnitext, fromXtext } from './decode.ts';
import { addressOf, codeIn, isAddress, momentIn, shown, statusIn } from './fields.ts';
import { fieldOf } from './headers.ts';
import type { Head } from './headers.ts';
import { lineAt, step } from './lines.ts';
import type { Effort, Lines } from './lines.ts';
import { maxRecipients } from './report.ts';
import type { Action, ReportedRecipient } from './report.ts';

type Group = Pick<Head, 'fields'>;

/** The body of a `message/delivery-status` part (RFC 3464 2). Undefined when it names no recipient. */
export function readDeliveryStatus(body: Lines, effort: Effort) {
	const groups = groupsOf(body, effort);
	const about = groups.filter((group) => !isRecipient(group));
	const recipients = groups.filter(isRecipient).slice(0, maxRecipients).map(recipientOf);
	if (recipients.length === 0) return undefined;
	const [first] = [...about, ...groups];
	const named = (name: string) => about.map((group) => fieldOf(group, name)).find((text) => text !== '') ?? '';
	return {
		recipients,
		reporter: shown(valueOf(named('reporting-mta') || fieldOf(first!, 'reporting-mta')), 255),
		envelopeId: shown(named('original-envelope-id'), 255)
	};
}

const isRecipient = (group: Group) => group.fields.has('final-recipient') || group.fields.has('original-recipient');

/** Fields in blocks; a recipient that begins without a blank line before it begins a block all the same. */
function groupsOf(body: Lines, effort: Effort): Group[] {
	const groups: Group[] = [];
	let open: Map<string, string[]> | undefined;
	let name = '';
	for (let at = body.from; at < body.to && groups.length <= maxRecipients && step(effort); at += 1) {
		const line = lineAt(body, at);
		const field = /^([A-Za-z][A-Za-z0-9-]{0,60})[ \t]{0,5}:(.*)$/s.exec(line);
		if (line.trim() === '') {
			if (open !== undefined) add(groups, { fields: open });
			open = undefined;
		} else if (/^[ \t]/.test(line)) extend(open?.get(name), line);
		else if (field !== null) {
			name = (field[1] ?? '').toLowerCase();
			if (open !== undefined && isNext(open, name)) {
				add(groups, { fields: open });
				open = undefined;
			}
			open ??= new Map();
			if (!open.has(name)) open.set(name, [(field[2] ?? '').trim()]);
		}
	}
	if (open !== undefined) add(groups, { fields: open });
	return groups;
}

/** Whether a field names the next recipient: the same name again, or any once it was said what became of the one before. */
const isNext = (open: Map<string, string[]>, name: string): boolean =>
	(name === 'final-recipient' || name === 'original-recipient') && (open.has(name) || open.has('action'));

const maxValue = 8192;

function extend(values: string[] | undefined, line: string): void {
	const last = values?.[0];
	if (values !== undefined && last !== undefined && last.length < maxValue) values[0] = `${last} ${line.trim()}`;
}

/** A blank line inside a recipient's fields: what follows without a recipient of its own belongs to the one before. */
function add(groups: Group[], group: Group): void {
	const last = groups.at(-1);
	const isRest = !isRecipient(group) && (group.fields.has('action') || group.fields.has('status'));
	if (isRest && last !== undefined && isRecipient(last) && !last.fields.has('action'))
		for (const [name, values] of group.fields) last.fields.set(name, values);
	else groups.push(group);
}

/** `rfc822; ann@example.org`: what stands behind the type, which some leave out. */
const valueOf = (text: string): string => /^\s*[A-Za-z0-9-]{1,40}\s*;(.*)$/s.exec(text)?.[1]?.trim() ?? text.trim();
const typeOf = (text: string): string => /^\s*([A-Za-z0-9-]{1,40})\s*;/.exec(text)?.[1]?.toLowerCase() ?? '';

function recipientOf(group: Group): ReportedRecipient {
	const final = finalAddress(fieldOf(group, 'final-recipient'));
	const original = originalAddress(fieldOf(group, 'original-recipient'), final);
	const diagnostic = valueOf(fieldOf(group, 'diagnostic-code'));
	const status = statusIn(fieldOf(group, 'status')) ?? statusIn(diagnostic);
	const code = codeIn(diagnostic);
	return {
		address: final || original,
		original: original === '' || original === final ? null : original,
		action: actionOf(fieldOf(group, 'action'), status, code),
		status,
		code,
		// Some say it only in a comment behind the status.
		diagnostic: shown(diagnostic || fieldOf(group, 'status').replace(/^\s*[\d.]{0,20}\s*/, '')),
		remote: shown(valueOf(fieldOf(group, 'remote-mta')), 255),
		at: momentIn(fieldOf(group, 'last-attempt-date')),
		willRetryUntil: momentIn(fieldOf(group, 'will-retry-until'))
	};
}

function finalAddress(field: string): string {
	const type = typeOf(field);
	return addressOf(type === 'utf-8' || type === 'utf8' ? fromUnitext(valueOf(field)) : valueOf(field));
}

function originalAddress(field: string, final: string): string {
	const literal = finalAddress(field);
	if (literal === final) return literal;
	const decoded = addressOf(fromXtext(valueOf(field)));
	return isAddress(decoded) ? decoded : literal;
}

const actions = new Set<string>(['failed', 'delayed', 'delivered', 'relayed', 'expanded']);

/** Where the action is missing or unknown, the status says it. */
function actionOf(field: string, status: string | null, code: number | null): Action {
	const word = /^[a-z]+/.exec(field.trim().toLowerCase())?.[0] ?? '';
	if (actions.has(word)) return word as Action;
	const digit = status?.[0] ?? (code === null ? undefined : String(code)[0]);
	return digit === '4' ? 'delayed' : digit === '2' ? 'delivered' : 'failed';
}
