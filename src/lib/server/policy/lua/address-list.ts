/** A header's addresses (RFC 5322 section 3.4) as far as KumoMTA's accessors show them. */
export interface AddressList {
	count: number;
	isGroup: boolean;
	user: string;
	domain: string;
	/** The local part is quoted again where it has to be. */
	email: string;
}

type Token = { kind: 'special' | 'atom' | 'quoted' | 'literal'; text: string };

const lexemes =
	/(?<space>[ \t\r\n]+)|"(?<quoted>(?:[^"\\\r\n]|\\[^\r\n])*)"|(?<literal>\[[^[\]\\\r\n]*\])|(?<atom>[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\u{10ffff}-]+)|(?<special>[<>@,:;.])/uy;

function tokensOf(text: string): Token[] | null {
	const tokens: Token[] = [];
	let at = 0;
	while (at < text.length) {
		if (text[at] === '(') {
			const end = commentEnd(text, at);
			if (end === null) return null;
			at = end;
			continue;
		}
		lexemes.lastIndex = at;
		const groups = lexemes.exec(text)?.groups;
		if (groups === undefined) return null;
		at = lexemes.lastIndex;
		for (const kind of ['special', 'atom', 'quoted', 'literal'] as const) {
			const found = groups[kind];
			if (found === undefined) continue;
			tokens.push({ kind, text: kind === 'quoted' ? found.replace(/\\(.)/gs, '$1') : found });
		}
	}
	return tokens;
}

function commentEnd(text: string, start: number): number | null {
	let depth = 0;
	for (let at = start; at < text.length; at++) {
		if (text[at] === '\\') at++;
		else if (text[at] === '(') depth++;
		else if (text[at] === ')' && --depth === 0) return at + 1;
	}
	return null;
}

/** Splits at a special that is not inside a group or angle brackets. */
function split(tokens: Token[], separator: string): Token[][] {
	const parts: Token[][] = [[]];
	let isNested = false;
	for (const token of tokens) {
		if (token.kind === 'special' && (token.text === '<' || token.text === ':')) isNested = true;
		if (token.kind === 'special' && (token.text === '>' || token.text === ';')) isNested = false;
		if (token.kind === 'special' && token.text === separator && !isNested) parts.push([]);
		else parts.at(-1)?.push(token);
	}
	return parts.filter((part) => part.length > 0);
}

function mailboxOf(tokens: Token[]): { user: string; domain: string } | null {
	const open = tokens.findIndex(({ kind, text }) => kind === 'special' && text === '<');
	if (open !== -1 && tokens.at(-1)?.text !== '>') return null;
	if (tokens.slice(0, Math.max(open, 0)).some(({ kind, text }) => kind === 'special' && text !== '.')) return null;
	const spec = open === -1 ? tokens : tokens.slice(open + 1, -1);
	const at = spec.findIndex(({ kind, text }) => kind === 'special' && text === '@');
	const user = spec.slice(0, at);
	const domain = spec.slice(at + 1);
	if (at < 1 || domain.length === 0) return null;
	if (!isDotted(user, ['atom', 'quoted']) || !isDotted(domain, ['atom', 'literal'])) return null;
	return { user: textOf(user), domain: textOf(domain) };
}

const textOf = (tokens: Token[]) => tokens.map(({ text }) => text).join('');
const isDotted = (tokens: Token[], kinds: Token['kind'][]) =>
	tokens.length % 2 === 1 &&
	tokens.every((token, index) => (index % 2 === 1 ? token.text === '.' : kinds.includes(token.kind)));

const quoted = (user: string) =>
	/^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\u0080-\u{10ffff}-]+$/u.test(user) ? user : `"${user.replace(/["\\]/g, '\\$&')}"`;

/** Null where KumoMTA fails to parse. */
export function parseAddressList(text: string): AddressList | null {
	const tokens = tokensOf(text);
	if (tokens === null) return null;
	const parts = split(tokens, ',');
	const isGroup = tokens.some(({ kind, text: special }) => kind === 'special' && special === ':');
	const first = parts[0];
	if (first === undefined || isGroup) return { count: parts.length, isGroup, user: '', domain: '', email: '' };
	const mailboxes = parts.map(mailboxOf);
	const mailbox = mailboxes[0];
	if (mailbox === null || mailbox === undefined || mailboxes.includes(null)) return null;
	return { count: parts.length, isGroup, ...mailbox, email: `${quoted(mailbox.user)}@${mailbox.domain}` };
}
