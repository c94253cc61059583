import { covers, formatBlock, parseBlock } from './blocks.ts';
import type { Block } from './blocks.ts';

type Qualifier = '+' | '-' | '~' | '?';

/** One mechanism or modifier of an SPF record (RFC 7208 4.6.1), with the text it was read from. */
export type SpfTerm =
	| { kind: 'all'; qualifier: Qualifier; text: string }
	| { kind: 'ip'; qualifier: Qualifier; block: Block; text: string }
	| { kind: 'include'; qualifier: Qualifier; domain: string; text: string }
	| { kind: 'exists'; qualifier: Qualifier; domain: string; text: string }
	| { kind: 'a' | 'mx'; qualifier: Qualifier; domain: string | null; prefix4: number; prefix6: number; text: string }
	| { kind: 'ptr'; qualifier: Qualifier; domain: string | null; text: string }
	| { kind: 'redirect' | 'exp'; domain: string; text: string }
	| { kind: 'unknown-modifier'; text: string };

type ParsedSpf = { terms: SpfTerm[]; error?: undefined } | { error: string; terms?: undefined };

/** Terms whose evaluation asks the DNS (RFC 7208 4.6.4); `exp` does not count. */
export const isLookup = (term: SpfTerm) => ['include', 'a', 'mx', 'ptr', 'exists', 'redirect'].includes(term.kind);

/** The most look-ups, and empty answers, that one evaluation may need (RFC 7208 4.6.4). */
export const lookupLimit = 10;
export const voidLimit = 2;

/** The records among TXT strings that are SPF (RFC 7208 4.5); more than one is a permanent error for every mail. */
export const spfAmong = (strings: string[]) => strings.filter((text) => /^v=spf1(?: |$)/i.test(text));

/** Reads a record strictly: receivers answer a syntax error anywhere in it with a permanent error (RFC 7208 4.6). */
export function parseSpf(record: string): ParsedSpf {
	if (!/^v=spf1(?: |$)/i.test(record)) return { error: 'it does not begin with v=spf1' };
	const terms: SpfTerm[] = [];
	for (const text of record.slice('v=spf1'.length).split(' ')) {
		if (text === '') continue;
		const term = parseTerm(text);
		if (term === undefined) return { error: `"${text.slice(0, 80)}" is no SPF term` };
		terms.push(term);
	}
	for (const kind of ['redirect', 'exp'])
		if (terms.filter((term) => term.kind === kind).length > 1) return { error: `${kind}= stands in it twice` };
	return { terms };
}

function parseTerm(text: string): SpfTerm | undefined {
	const modifier = /^([A-Za-z][A-Za-z0-9._-]*)=([\x21-\x7e]*)$/.exec(text);
	if (modifier) return parseModifier(text, (modifier[1] ?? '').toLowerCase(), modifier[2] ?? '');
	const [, sign = '', name = '', rest = ''] = /^([+?~-]?)([A-Za-z][A-Za-z0-9]*)([:/][\x21-\x7e]+)?$/.exec(text) ?? [];
	return parseMechanism(text, (sign || '+') as Qualifier, name.toLowerCase(), rest);
}

function parseModifier(text: string, name: string, value: string): SpfTerm | undefined {
	if (name !== 'redirect' && name !== 'exp') return { kind: 'unknown-modifier', text };
	return isDomainSpec(value) ? { kind: name, domain: value.toLowerCase(), text } : undefined;
}

function parseMechanism(text: string, qualifier: Qualifier, name: string, rest: string): SpfTerm | undefined {
	const domain = rest.startsWith(':') ? rest.slice(1).toLowerCase() : null;
	switch (name) {
		case 'all':
			return rest === '' ? { kind: 'all', qualifier, text } : undefined;
		case 'ip4':
		case 'ip6': {
			const block = parseBlock(domain ?? '');
			return block?.family === Number(name[2]) ? { kind: 'ip', qualifier, block, text } : undefined;
		}
		case 'include':
		case 'exists':
			return domain !== null && isDomainSpec(domain) ? { kind: name, qualifier, domain, text } : undefined;
		case 'ptr':
			return rest === '' || (domain !== null && isDomainSpec(domain))
				? { kind: name, qualifier, domain, text }
				: undefined;
		case 'a':
		case 'mx':
			return parseAddressMechanism(text, qualifier, name, rest);
		default:
			return undefined;
	}
}

function parseAddressMechanism(
	text: string,
	qualifier: Qualifier,
	kind: 'a' | 'mx',
	rest: string
): SpfTerm | undefined {
	const [, domain, four, six] = /^(?::([^/]+))?(?:\/(\d{1,2}))?(?:\/\/(\d{1,3}))?$/.exec(rest) ?? [];
	const [prefix4, prefix6] = [Number(four ?? 32), Number(six ?? 128)];
	const isRead = rest === '' || domain !== undefined || four !== undefined || six !== undefined;
	if (!isRead || prefix4 > 32 || prefix6 > 128 || (domain !== undefined && !isDomainSpec(domain))) return undefined;
	return { kind, qualifier, domain: domain?.toLowerCase() ?? null, prefix4, prefix6, text };
}

/** Host names, also with macros (RFC 7208 7), which are read but not expanded here. */
function isDomainSpec(text: string): boolean {
	return (
		text.length <= 253 &&
		/^(?:[A-Za-z0-9_.-]|%\{[A-Za-z][0-9]*r?[.+,/_=-]*\}|%%|%_|%-)+$/.test(text) &&
		text.includes('.')
	);
}

/** A record that lets these networks send and leaves everything else doubtful. Undefined when there are none. */
export function spfRecord(blocks: Block[]): string | undefined {
	return blocks.length === 0 ? undefined : ['v=spf1', ...blocks.map(mechanism), '~all'].join(' ');
}

const mechanism = (block: Block) => `ip${block.family}:${formatBlock(block)}`;

/**
 * One record in place of those that are published, letting `blocks` pass too. Ours stand first: they then match before
 * any look-up is spent, and before any term that would refuse them (RFC 7208 4.6.2: left to right, first match wins).
 * Everything of the published records is kept, except `+all`, which lets the whole world send and becomes `~all`, and
 * what cannot be read. The first record's `all` and modifiers win.
 */
export function mergeSpf(published: string[], blocks: Block[]): string | undefined {
	const lists = published.map(readableTerms);
	const [first = [], ...others] = lists;
	if (lists.length === 0) return spfRecord(blocks);
	const added = others.flat().filter((term) => !isTail(term));
	const tail = [...first, ...others.flat()].filter(isTail);
	const all = tail.find((term) => term.kind === 'all');
	const modifiers = tail.filter(
		(term, index) => term.kind !== 'all' && tail.findIndex((each) => each.kind === term.kind) === index
	);
	const kept = [...first.filter((term) => !isTail(term)), ...added].map(({ text }) => text);
	const ours = blocks.filter((block) => !isCovered(first, block)).map(mechanism);
	// A redirect is ignored where there is an `all` (RFC 7208 6.1): only one of the two stays.
	const end = all ? [all.qualifier === '+' ? '~all' : all.text] : modifiers.filter(isRedirect).map(({ text }) => text);
	const rest = modifiers.filter((term) => !isRedirect(term)).map(({ text }) => text);
	return [...new Set(['v=spf1', ...ours, ...kept, ...end, ...rest])].join(' ');
}

/** What can be read of a record, also of a broken one; after `all` nothing counts but modifiers (RFC 7208 5.1). */
function readableTerms(record: string): SpfTerm[] {
	const terms = record
		.slice('v=spf1'.length)
		.split(' ')
		.flatMap((text) => (text === '' ? [] : (parseTerm(text) ?? [])));
	const end = terms.findIndex((term) => term.kind === 'all');
	return end === -1 ? terms : [...terms.slice(0, end + 1), ...terms.slice(end + 1).filter(isModifier)];
}

const isRedirect = (term: SpfTerm) => term.kind === 'redirect';
const isModifier = (term: SpfTerm) => ['redirect', 'exp', 'unknown-modifier'].includes(term.kind);
const isTail = (term: SpfTerm) => term.kind === 'all' || term.kind === 'redirect' || term.kind === 'exp';

/** Whether a record passes a network by its own address terms, before a term that might say otherwise. */
function isCovered(terms: SpfTerm[], block: Block): boolean {
	for (const term of terms) {
		if (term.kind === 'ip' && covers(term.block, block)) return term.qualifier === '+';
		if ('qualifier' in term && term.qualifier !== '+') return false;
	}
	return false;
}
