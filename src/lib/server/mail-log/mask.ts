/**
 * KumoMTA logs refused commands as the client sent them, also those of a login (RFC 4954: the credentials follow `AUTH` or
 * come on lines of their own). What may hold one never gets further than here.
 */

const hidden = '[hidden]';
const verbs = new Set(
	'EHLO HELO LHLO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY EXPN HELP STARTTLS ETRN XCLIENT XFORWARD .'.split(' ')
);

/** A command keeps its words only when its verb is known and carries no credential. */
export function maskCommand(command: string): string {
	const [verb = '', mechanism = ''] = command.trim().split(/\s/, 2);
	if (verb.toUpperCase() === 'AUTH') return /^[A-Za-z0-9_-]{1,20}$/.test(mechanism) ? `AUTH ${mechanism}` : 'AUTH';
	return verbs.has(verb.toUpperCase()) ? maskText(command) : hidden;
}

const mechanism = '(PLAIN|LOGIN|XOAUTH2|OAUTHBEARER|CRAM-MD5|DIGEST-MD5|NTLM|GSSAPI|SCRAM-[A-Z0-9-]{1,20})';
const quotedLogin = new RegExp(`\\bAUTH[ =]{1,4}${mechanism}[ =:]{1,4}[^ "'<>]+`, 'gi');
/** Padding ends a word: in `bounces+ann=example.org` the `=` is none. */
const word = /[A-Za-z0-9+/_-]{8,}(?:={1,2}(?![A-Za-z0-9=]))?/g;

/** Text that may quote such a command: what follows `AUTH PLAIN`, and words that are base64 of a login. */
export function maskText(text: string): string {
	return text.replace(quotedLogin, `AUTH $1 ${hidden}`).replace(word, (each) => (isLogin(each) ? hidden : each));
}

/** Padded base64, or base64 of `identity NUL user NUL password` (RFC 4616), `user=…` (XOAUTH2) or `n,a=…` (RFC 7628). */
function isLogin(text: string): boolean {
	if (text.endsWith('=')) return text.length % 4 === 0;
	const plain = Buffer.from(text, 'base64').toString('latin1');
	return /\0[^\0]+\0|^[\x20-\x7e]*\0[\x20-\x7e]+$|^user=[\x20-\x7e]*\x01|^n,a=/.test(plain);
}
