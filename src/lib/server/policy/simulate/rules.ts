/**
 * The rule behind each reply: of program.lua (a test walks its sites) and of KumoMTA itself (the last ones). A reply is
 * known by how it begins, since some go on with a reason.
 */
const rules: [begins: string, rule: string][] = [
	['4.3.0 this listener is not part', 'listener-gone'],
	['5.1.2 this domain is reserved', 'reserved-domain'],
	['4.7.1 the sender domain is not ready', 'domain-not-ready'],
	['4.7.1 sending is paused', 'sender-paused'],
	['5.1.7 the null sender', 'null-sender'],
	['5.7.1 this bounce host takes only', 'return-path-unknown'],
	['5.7.1 MAIL FROM must be', 'return-path-foreign'],
	['5.6.0 exactly one From', 'from-count'],
	['5.6.0 From must contain', 'from-form'],
	['5.7.1 no sender has this From', 'from-unknown'],
	['5.7.0 authentication required', 'login-needed'],
	['5.7.1 authentication required', 'login-needed'],
	['5.7.1 this sender does not exist', 'sender-gone'],
	['4.7.0 the message can not be signed', 'not-signed'],
	['5.6.0 the message headers', 'headers-unreadable'],
	['4.7.0 too many failed logins', 'too-many-failed-logins'],
	['5.5.1 this listener takes no logins', 'no-logins-here'],
	['4.7.0 too many logins', 'too-many-logins'],
	['5.7.1 suppressed by', 'recipient-suppressed'],
	['5.7.1 recipient ', 'recipient-suppressed'],
	['5.7.1 relaying not permitted', 'no-relay'],
	['5.1.1 no such mailbox', 'mailbox-unknown'],
	['5.7.1 this sender may not use this From', 'from-foreign'],
	['5.1.1 this address takes only', 'reports-only'],
	['5.7.8 AUTH invalid', 'login-wrong'],
	['Authentication Failed', 'login-wrong'],
	['Syntax error', 'syntax'],
	['denied', 'not-trusted']
];

/** The kebab-case code of the rule that a refusal comes from; what custom.lua says itself is `custom`. */
export function ruleOf({ text }: { text: string }): string {
	if (text.includes('technical difficulties')) return 'policy-error';
	return rules.find(([begins]) => text.startsWith(begins))?.[1] ?? 'custom';
}
