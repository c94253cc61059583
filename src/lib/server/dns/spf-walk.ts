import { covers, parseBlock, withPrefix } from './blocks.ts';
import type { Block } from './blocks.ts';
import type { Answer, DnsLookup } from './resolver.ts';
import { isLookup, lookupLimit, parseSpf, spfAmong, voidLimit } from './spf.ts';
import type { SpfTerm } from './spf.ts';

type Result = 'pass' | 'fail' | 'softfail' | 'neutral';

/** What receivers find when they evaluate a record for addresses, and what the whole of it costs. */
export interface SpfWalk {
	/** Single addresses that pass. */
	passing: Block[];
	/** Look-ups that mail from an unlisted address costs: every term counted. Above the limit it is a lower bound. */
	lookups: number;
	/** Permanent errors (RFC 7208 2.6.7), in words. */
	errors: string[];
	/** A look-up failed for now: what stands behind it is not known. */
	isIncomplete: boolean;
	/** Terms with macros, or `ptr`: counted, not evaluated, since they depend on the mail. */
	skipped: string[];
}

interface State extends Omit<SpfWalk, 'passing'> {
	lookup: DnsLookup;
	voids: number;
}

/**
 * Evaluates a record as check_host() does (RFC 7208 4), for many single addresses at once, and walks the rest of it to
 * count. Stops at the limit of look-ups, at a loop, and at the first look-up that fails.
 */
export async function walkSpf(domain: string, record: string, addresses: Block[], lookup: DnsLookup): Promise<SpfWalk> {
	const state: State = { lookup, lookups: 0, voids: 0, errors: [], isIncomplete: false, skipped: [] };
	const results = await evaluate(state, [domain], record, addresses);
	const { lookups, errors, isIncomplete, skipped } = state;
	return {
		passing: addresses.filter((address) => results.get(address) === 'pass'),
		lookups,
		errors,
		isIncomplete,
		skipped
	};
}

const hasStopped = (state: State) => state.errors.length > 0 || state.isIncomplete;

async function evaluate(state: State, path: string[], record: string, addresses: Block[]): Promise<Map<Block, Result>> {
	const results = new Map<Block, Result>();
	const domain = path.at(-1) ?? '';
	const parsed = parseSpf(record);
	if (parsed.error !== undefined) {
		state.errors.push(`The record of ${domain} is not well formed: ${parsed.error}.`);
		return results;
	}
	const all = parsed.terms.find((term) => term.kind === 'all');
	if (all?.qualifier === '+') state.errors.push(`The record of ${domain} says +all: it lets the whole world send.`);
	for (const term of inForce(parsed.terms, all)) {
		if (hasStopped(state)) break;
		const open = addresses.filter((address) => !results.has(address));
		if (isLookup(term) && !spend(state)) break;
		if (term.kind === 'redirect') {
			for (const [address, result] of await follow(state, path, term.domain, open)) results.set(address, result);
		} else if ('qualifier' in term) {
			const matched = await matching(state, path, term, open);
			for (const address of matched) results.set(address, resultOf(term.qualifier));
		}
	}
	return results;
}

/** The mechanisms up to `all`; or all of them and then the redirect (RFC 7208 5.1, 6.1). */
function inForce(terms: SpfTerm[], all: SpfTerm | undefined): SpfTerm[] {
	const mechanisms = terms.filter((term) => 'qualifier' in term);
	if (all) return mechanisms.slice(0, mechanisms.indexOf(all as (typeof mechanisms)[number]) + 1);
	return [...mechanisms, ...terms.filter((term) => term.kind === 'redirect')];
}

function resultOf(qualifier: '+' | '-' | '~' | '?'): Result {
	return ({ '+': 'pass', '-': 'fail', '~': 'softfail', '?': 'neutral' } as const)[qualifier];
}

function spend(state: State): boolean {
	state.lookups += 1;
	if (state.lookups <= lookupLimit) return true;
	state.errors.push(`It needs more than ${lookupLimit} DNS look-ups: receivers stop there with a permanent error.`);
	return false;
}

async function follow(state: State, path: string[], target: string, open: Block[]): Promise<Map<Block, Result>> {
	const nothing = new Map<Block, Result>();
	if (target.includes('%')) {
		state.skipped.push(target);
		return nothing;
	}
	const name = target.replace(/\.$/, '');
	if (path.includes(name)) {
		state.errors.push(`It includes ${name} in a loop: receivers stop with a permanent error.`);
		return nothing;
	}
	const strings = valuesOf(state, await state.lookup.txt(name));
	if (hasStopped(state)) return nothing;
	const records = spfAmong(strings);
	if (records.length === 1) return evaluate(state, [...path, name], records[0] ?? '', open);
	const count = records.length === 0 ? 'no SPF record' : `${records.length} SPF records`;
	state.errors.push(`It points to ${name}, which has ${count}: receivers stop with a permanent error.`);
	return nothing;
}

/** The values of an answer. Counts empty answers, which are limited too (RFC 7208 4.6.4). */
function valuesOf<T>(state: State, answer: Answer<T>): T[] {
	if (answer.state === 'found') return answer.values;
	if (answer.state === 'failed') state.isIncomplete = true;
	else {
		state.voids += 1;
		if (state.voids > voidLimit)
			state.errors.push(
				`More than ${voidLimit} of its look-ups find nothing: receivers may stop with a permanent error.`
			);
	}
	return [];
}

type Mechanism = Extract<SpfTerm, { qualifier: unknown }>;

async function matching(state: State, path: string[], term: Mechanism, open: Block[]): Promise<Block[]> {
	if (term.kind === 'all') return open;
	if (term.kind === 'ip') return open.filter((address) => covers(term.block, address));
	const domain = (term.domain ?? path.at(-1) ?? '').replace(/\.$/, '');
	if (term.kind === 'ptr' || domain.includes('%')) {
		state.skipped.push(term.text);
		return [];
	}
	if (term.kind === 'include') {
		const results = await follow(state, path, domain, open);
		return open.filter((address) => results.get(address) === 'pass');
	}
	if (term.kind === 'exists') return valuesOf(state, await state.lookup.a(domain)).length > 0 ? open : [];
	const hosts = await hostsOf(state, term.kind, domain);
	const found = (await Promise.all(hosts.map((host) => addressesOf(state, host)))).flat();
	if (term.kind === 'a' && found.length === 0 && !hasStopped(state))
		valuesOf(state, { state: 'none', reason: 'no-data' });
	const blocks = found.map((block) => withPrefix(block, block.family === 4 ? term.prefix4 : term.prefix6));
	return open.filter((address) => blocks.some((block) => covers(block, address)));
}

/** The hosts whose addresses a mechanism means; at most ten MX hosts (RFC 7208 4.6.4), none for a null MX. */
async function hostsOf(state: State, kind: 'a' | 'mx', domain: string): Promise<string[]> {
	if (kind === 'a') return [domain];
	const hosts = valuesOf(state, await state.lookup.mx(domain)).map(({ exchange }) => exchange);
	if (hosts.length <= lookupLimit) return hosts.filter((host) => host !== '');
	state.errors.push(`${domain} has more than ${lookupLimit} MX hosts: receivers stop with a permanent error.`);
	return [];
}

async function addressesOf(state: State, host: string): Promise<Block[]> {
	const answers = await Promise.all([state.lookup.a(host), state.lookup.aaaa(host)]);
	if (answers.some(({ state: outcome }) => outcome === 'failed')) state.isIncomplete = true;
	return answers
		.flatMap((answer) => (answer.state === 'found' ? answer.values : []))
		.flatMap((text) => parseBlock(text) ?? []);
}
