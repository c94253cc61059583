import type { Outputs } from '$lib/api';
import type { BadgeKind } from '$lib/ui/badge-kind';

export type Event = Outputs['feedback']['list']['items'][number];
export type Counts = Outputs['feedback']['counts'];
export type State = Outputs['feedback']['state'];
export type Parsed = Outputs['feedback']['parse'];
type Kind = Event['kind'];

export const kindWords: Record<Kind, { word: string; badge: BadgeKind; meaning: string }> = {
	bounce: { word: 'bounce', badge: 'bad', meaning: 'Refused by the other server while KumoMTA delivered.' },
	expiry: { word: 'expired', badge: 'warn', meaning: 'Tried until the maximum age was reached, then given up.' },
	report: { word: 'report', badge: 'warn', meaning: 'Accepted first; then another server reported that it failed.' },
	complaint: { word: 'complaint', badge: 'bad', meaning: 'The recipient called it spam, through their provider.' }
};

/** What the four numbers are called, in the order in which they are shown; `fill` is the colour in the chart. */
export const series = [
	{ key: 'bounces', label: 'Bounces', note: 'refused at once', fill: 'fill-(--series-1)', dot: 'bg-(--series-1)' },
	{
		key: 'expiries',
		label: 'Expired',
		note: 'given up after many tries',
		fill: 'fill-(--series-2)',
		dot: 'bg-(--series-2)'
	},
	{ key: 'reports', label: 'Reports', note: 'failed after acceptance', fill: 'fill-(--muted)', dot: 'bg-(--muted)' },
	{ key: 'complaints', label: 'Complaints', note: 'called spam', fill: 'fill-(--series-3)', dot: 'bg-(--series-3)' }
] as const;

export const totalOf = (four: Record<(typeof series)[number]['key'], number>): number =>
	series.reduce((sum, { key }) => sum + four[key], 0);

const classNames: Record<string, string> = {
	'not-spam': 'not spam',
	'opt-out': 'opt out',
	'auth-failure': 'authentication failed',
	dmarc: 'DMARC',
	DNSFailure: 'DNS failure',
	Uncategorized: 'not classified'
};

/** `InvalidRecipient` as "invalid recipient". */
export const classWords = (text: string): string =>
	classNames[text] ??
	text
		.replace(/([a-z])([A-Z])/g, '$1 $2')
		.replace(/[-_]/g, ' ')
		.toLowerCase();

interface ReaderWords {
	kind: BadgeKind;
	word: string;
	/** Set when somebody has to do something, or may wonder. */
	title?: string;
	text?: string;
}

/** How the reader of the log is, and what to do about it. */
export function readerWords(state: State, isInstalled: boolean | undefined): ReaderWords {
	const { directory } = state;
	if (state.state === 'never')
		return {
			kind: 'neutral',
			word: 'not read yet',
			title: 'The log was not read yet.',
			text: 'The panel looks every ten seconds.'
		};
	if (state.state === 'absent')
		return isInstalled === false
			? {
					kind: 'neutral',
					word: 'no KumoMTA here',
					title: 'KumoMTA is not installed on this machine.',
					text: 'Everything here comes from its log. Install KumoMTA, apply the policy and send mail; what comes back then appears by itself.'
				}
			: {
					kind: 'warn',
					word: 'no log',
					title: `There is no directory ${directory}.`,
					text: 'KumoMTA makes it when it starts with an applied policy. Nothing is lost: from then on everything in it is read. If KumoMTA logs elsewhere, set its log directory in Settings.'
				};
	if (state.state === 'unreadable')
		return {
			kind: 'bad',
			word: 'cannot read',
			title: `The panel may not read ${directory} (${state.code ?? 'unknown error'}).`,
			text: 'Mail is not affected and nothing is lost: what waits is read once it may. Let the panel’s user read the directory and its files, for example through the group that owns them.'
		};
	if (state.state === 'behind')
		return {
			kind: 'warn',
			word: 'catching up',
			title: 'There is more in the log than one turn reads.',
			text: 'The panel catches up by itself, oldest first, so the newest events are not here yet.'
		};
	return { kind: 'ok', word: 'reading' };
}

const shapeNames: Record<string, string> = {
	rfc3464: 'delivery report (RFC 3464)',
	rfc5965: 'feedback report (RFC 5965)',
	rfc8098: 'read receipt (RFC 8098)',
	qmail: 'qmail’s own form',
	exim: 'Exim’s own form',
	postfix: 'Postfix’s own form',
	sendmail: 'sendmail’s own form',
	exchange: 'Exchange’s own form',
	gmail: 'Gmail’s own form',
	yahoo: 'Yahoo’s own form',
	lotus: 'Lotus Notes’ own form',
	microsoft: 'Microsoft’s complaint form',
	text: 'text for people'
};

const verdicts: Record<Parsed['kind'], { title: string; text: string }> = {
	delivery: { title: 'A report about delivery', text: '' },
	complaint: { title: 'A complaint', text: '' },
	'auto-reply': {
		title: 'An automatic reply, no bounce',
		text: 'Somebody is away or a program confirms receipt. The mail arrived.'
	},
	receipt: { title: 'A read receipt, no bounce', text: 'The mail arrived and was opened or deleted.' },
	none: {
		title: 'No bounce that the panel understands',
		text: 'Paste the whole message with its headers (“show original” in most mail programs).'
	}
};

/** What a pasted report is, in a sentence. */
export function verdictOf(report: Parsed): { title: string; text: string; kind: 'info' | 'ok' | 'warn' | 'bad' } {
	const { title, text } = verdicts[report.kind];
	if (report.kind === 'complaint')
		return report.complaint?.isComplaint === false
			? { title: `Feedback, but no complaint: ${classWords(report.complaint.type)}`, text: '', kind: 'info' }
			: { title: `A complaint: ${classWords(report.complaint?.type ?? '')}`, text: '', kind: 'bad' };
	if (report.kind !== 'delivery') return { title, text, kind: report.kind === 'none' ? 'warn' : 'ok' };
	const failed = report.recipients.filter(({ action }) => action === 'failed').length;
	if (failed > 0)
		return { title: failed === 1 ? 'A bounce' : `${failed} bounces`, text: shapeText(report), kind: 'bad' };
	const isLate = report.recipients.some(({ action }) => action === 'delayed');
	return {
		title: isLate ? 'A delay, no bounce' : 'Good news, no bounce',
		text: shapeText(report),
		kind: isLate ? 'warn' : 'ok'
	};
}

const shapeText = ({ shape }: Parsed): string => (shape === null ? '' : `Written as ${shapeNames[shape] ?? shape}.`);
