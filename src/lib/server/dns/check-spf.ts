import { addressesIn, covers, formatBlock } from './blocks.ts';
import type { Block } from './blocks.ts';
import { withValue } from './records.ts';
import type { ExpectedRecord } from './records.ts';
import type { DnsLookup } from './resolver.ts';
import { lookupLimit, mergeSpf, parseSpf, spfAmong } from './spf.ts';
import { walkSpf } from './spf-walk.ts';
import type { SpfWalk } from './spf-walk.ts';
import { judged, mismatch, ok, unknown, withoutValues } from './verdict.ts';
import type { CheckedRecord } from './verdict.ts';

/** Answers of more than 512 bytes need TCP or EDNS (RFC 7208 3.4); the rest of the answer needs its share. */
const comfortableBytes = 450;

/**
 * Compares SPF by what receivers would decide for each of our addresses, and gives as value the one record to publish:
 * what is there when it serves, else what is there with our addresses merged in.
 */
export async function checkSpf(record: ExpectedRecord, lookup: DnsLookup): Promise<CheckedRecord> {
	const answer = await lookup.txt(record.name);
	if (answer.state === 'failed') return judged(record, unknown(answer.reason));
	const published = answer.state === 'found' ? spfAmong(answer.values) : [];
	if (published.length === 0) {
		const nothing = withoutValues(record, answer.state === 'found' ? { state: 'none', reason: 'no-data' } : answer);
		return judged(record, { status: 'missing', advice: nothing?.advice.replace('TXT record', 'SPF record') ?? '' });
	}
	const blocks = blocksOf(record.value);
	const addresses = blocks.flatMap((block) => addressesIn(block));
	const merged = mergeSpf(published, blocks) ?? record.value;
	const walk = await walkSpf(record.name, published.length === 1 ? (published[0] ?? '') : merged, addresses, lookup);
	const proposal = withValue(record, merged);
	if (published.length > 1) return judged(proposal, mismatch(severalAdvice(published.length, walk)), published);
	if (walk.errors.length > 0) {
		const after = await walkSpf(record.name, merged, addresses, lookup);
		return judged(proposal, mismatch(errorAdvice(walk, after, merged)), published);
	}
	const refused = addresses.filter((address) => !walk.passing.includes(address));
	if (refused.length === 0) {
		const found = published[0] ?? '';
		return judged(withValue(record, found), ok(okAdvice(found, walk)), published);
	}
	if (walk.isIncomplete) return judged(proposal, incomplete, published);
	return judged(proposal, mismatch(refusedAdvice(blocks, refused, walk, merged)), published);
}

const incomplete = {
	status: 'unknown' as const,
	advice:
		'Found a record that refers to names which could not be looked up, so it is not known whether it lets this server send. Check again.'
};

function blocksOf(value: string): Block[] {
	return (parseSpf(value).terms ?? []).flatMap((term) => (term.kind === 'ip' ? [term.block] : []));
}

function severalAdvice(count: number, walk: SpfWalk): string {
	return sentences(
		`Found ${count} SPF records: receivers then stop with a permanent error, and none of them counts. Put this one in place of all of them.`,
		walk.errors.length === 0 ? cost(walk) : remaining(walk)
	);
}

/** `after`: what is left of the errors once the proposed value is published. */
function errorAdvice(walk: SpfWalk, after: SpfWalk, merged: string): string {
	return sentences(
		`Found a record with an error. ${walk.errors.join(' ')}`,
		'Put this value in place of the published one.',
		after.errors.length === 0 ? cost(after) : remaining(after),
		lengthAdvice(merged)
	);
}

function remaining(walk: SpfWalk): string {
	return walk.lookups > lookupLimit
		? `Then remove an include, a, mx or ptr that no mail needs any more: more than ${lookupLimit} look-ups are left.`
		: `Then correct what is left in it: ${walk.errors.join(' ')}`;
}

function okAdvice(found: string, walk: SpfWalk): string {
	const terms = parseSpf(found).terms ?? [];
	const isOpen = !terms.some(({ kind }) => kind === 'all' || kind === 'redirect');
	return sentences(
		cost(walk),
		isOpen &&
			'It ends without "all": mail from servers that it does not name counts as neutral. Consider ~all at its end.',
		lengthAdvice(found)
	);
}

function refusedAdvice(blocks: Block[], refused: Block[], walk: SpfWalk, merged: string): string {
	const networks = blocks.filter((block) => refused.some((address) => covers(block, address))).map(formatBlock);
	const named =
		networks.length > 3 ? `${networks.slice(0, 3).join(', ')} and ${networks.length - 3} more` : networks.join(', ');
	return sentences(
		`Found a record that does not let ${named} send.`,
		'Put this value in place of the published one; it keeps what was there. Never add a second record.',
		cost(walk),
		lengthAdvice(merged)
	);
}

function cost(walk: SpfWalk): string {
	const uncertain = walk.isIncomplete || walk.skipped.length > 0 ? 'At least ' : '';
	return `${uncertain}${walk.lookups} of ${lookupLimit} look-ups used.`;
}

function lengthAdvice(value: string): string | false {
	return (
		value.length > comfortableBytes &&
		`It is ${value.length} bytes long; some receivers read no more than ${comfortableBytes} safely. Use fewer networks, or move part of it behind an include.`
	);
}

const sentences = (...parts: (string | false)[]) => parts.filter(Boolean).join(' ');
