import type { Outputs } from '$lib/api';
import type { Step } from '$lib/ui/step';

type Answer = Outputs['policy']['simulate'];
type Stage = Answer['trail'][number]['stage'];

const titles: Record<Stage, string> = {
	connection: 'Connection',
	auth: 'Login',
	'mail-from': 'MAIL FROM',
	'rcpt-to': 'RCPT TO',
	data: 'Message',
	received: 'Received',
	queue: 'Queue',
	route: 'Way out',
	sign: 'Signature'
};

/** Codes of the rules that refuse, as an operator would say them. */
const rules: Record<string, string> = {
	'listener-gone': 'The listener belongs to no current configuration.',
	'reserved-domain': 'Names of KumoMTA’s own queues are no destinations.',
	'domain-not-ready': 'The sender’s domain is not ready, so its mail is put off.',
	'sender-paused': 'The sender is paused, so its mail is put off.',
	'null-sender': 'Only reports come from the null sender.',
	'return-path-unknown': 'The bounce host takes only its accounts as return path.',
	'return-path-foreign': 'A sender uses its own address or its bounce host as MAIL FROM.',
	'from-count': 'A message has exactly one From header.',
	'from-form': 'From holds exactly one plain address.',
	'from-unknown': 'No sender has this From address.',
	'recipient-suppressed': 'The recipient is on a suppression list.',
	'from-foreign': 'This sender may not write as that address.',
	'login-needed': 'Without a login nothing is taken here.',
	'login-wrong': 'There is no such sender, or it has no password.',
	'no-logins-here': 'Logins are taken on submission listeners only.',
	'sender-gone': 'The sender was removed.',
	'not-signed': 'A DKIM key could not be used; unsigned mail is never sent.',
	'mailbox-unknown': 'There is no such bounce account.',
	'reports-only': 'Without an account only delivery and complaint reports are taken.',
	'no-relay': 'Mail for others is taken from senders only.',
	'not-trusted': 'The HTTP API trusts this machine and senders with a password.',
	'too-many-logins': 'Logins come too fast.',
	syntax: 'KumoMTA can not read this address.',
	'policy-error': 'The policy itself failed.',
	custom: 'custom.lua decided this.'
};

/** The decisions in their order. Titles are unique: several recipients are told apart by their address. */
export function stepsOf({ trail }: Pick<Answer, 'trail'>): Step[] {
	return trail.map(({ stage, subject, outcome, rule, text, reply }) => ({
		title: subject === undefined ? titles[stage] : `${titles[stage]}: ${subject}`,
		status: outcome === 'refused' ? 'failed' : rule === 'no-login' ? 'skipped' : 'ok',
		detail: [outcome === 'refused' ? (rules[rule] ?? text) : text, reply && `${reply.code} ${reply.text}`]
			.filter(Boolean)
			.join('\n')
	}));
}

export const verdicts = {
	accepted: { kind: 'ok', title: 'Accepted' },
	partly: { kind: 'warn', title: 'Accepted for some recipients' },
	refused: { kind: 'bad', title: 'Refused' }
} as const;

/** "at once, after 20 minutes, after 1 hour …" */
export function attemptTimes(seconds: readonly number[]): string {
	return seconds.map((each) => (each === 0 ? 'at once' : spanText(each))).join(' · ');
}

/** Two units at most: "2 h 20 min". */
export function spanText(seconds: number): string {
	const units: [string, number][] = [
		['d', 86_400],
		['h', 3600],
		['min', 60],
		['s', 1]
	];
	const parts: string[] = [];
	let rest = seconds;
	for (const [unit, size] of units) {
		const count = Math.floor(rest / size);
		rest -= count * size;
		if (count > 0) parts.push(`${count} ${unit}`);
	}
	return parts.slice(0, 2).join(' ') || '0 s';
}
