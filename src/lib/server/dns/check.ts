import { canonicalAddress } from '../core/inputs.ts';
import { addressOfReverseName } from './blocks.ts';
import { checkSpf } from './check-spf.ts';
import { compareDkim } from './dkim-record.ts';
import { compareDmarc, dmarcAmong } from './dmarc.ts';
import type { ExpectedRecord } from './records.ts';
import type { Answer, DnsLookup } from './resolver.ts';
import { judged, mismatch, ok, unknown, withoutValues } from './verdict.ts';
import type { CheckedRecord } from './verdict.ts';

type Check = (record: ExpectedRecord, lookup: DnsLookup) => Promise<CheckedRecord>;

const checks: Record<ExpectedRecord['kind'], Check> = {
	spf: checkSpf,
	dkim: checkDkim,
	dmarc: checkDmarc,
	report: checkReport,
	mx: checkMx,
	address: checkAddress,
	ptr: checkPtr
};

/**
 * Looks each record up and says how what is published stands to what is expected, by meaning and not by spelling. Keeps
 * the order. SPF values come back merged with what is published.
 */
export function checkRecords(expected: ExpectedRecord[], lookup: DnsLookup): Promise<CheckedRecord[]> {
	return Promise.all(expected.map((record) => checks[record.kind](record, lookup)));
}

async function checkDkim(record: ExpectedRecord, lookup: DnsLookup): Promise<CheckedRecord> {
	const answer = await lookup.txt(record.name);
	if (answer.state !== 'found') return judgedEmpty(record, answer);
	const [first = ''] = answer.values;
	if (answer.values.length > 1) {
		const advice = `Found ${answer.values.length} TXT records under one selector: which one a verifier takes is chance (RFC 6376 3.6.2.2). Leave only this one.`;
		return judged(record, mismatch(advice), answer.values);
	}
	const result = compareDkim(first, record.value);
	if (result.state === 'ok') return judged(record, ok(result.warning), answer.values);
	return judged(record, mismatch(`${result.message} Put this value in its place.`), answer.values);
}

async function checkDmarc(record: ExpectedRecord, lookup: DnsLookup): Promise<CheckedRecord> {
	const answer = await lookup.txt(record.name);
	if (answer.state !== 'found') return judgedEmpty(record, answer);
	const policies = dmarcAmong(answer.values);
	const [first] = policies;
	if (first === undefined) {
		const advice =
			'Found text, but no record that begins with v=DMARC1: receivers apply no policy. Publish this record.';
		return judged(record, { status: 'missing', advice }, answer.values);
	}
	if (policies.length > 1) {
		const advice = `Found ${policies.length} DMARC records: receivers then apply none. Leave only this one.`;
		return judged(record, mismatch(advice), policies);
	}
	const difference = compareDmarc(first, record.value);
	if (difference === undefined) return judged(record, ok(), policies);
	return judged(
		record,
		mismatch(`${difference} Put this value in its place, or change the policy of the domain here.`),
		policies
	);
}

async function checkReport(record: ExpectedRecord, lookup: DnsLookup): Promise<CheckedRecord> {
	const answer = await lookup.txt(record.name);
	if (answer.state !== 'found') return judgedEmpty(record, answer);
	if (dmarcAmong(answer.values).length > 0) return judged(record, ok(), answer.values);
	return judged(
		record,
		mismatch('Found text that does not begin with v=DMARC1: no reports are sent there. Publish this record.'),
		answer.values
	);
}

async function checkMx(record: ExpectedRecord, lookup: DnsLookup): Promise<CheckedRecord> {
	const answer = await lookup.mx(record.name);
	if (answer.state !== 'found') return judgedEmpty(record, answer);
	const found = answer.values.map(({ priority, exchange }) => `${priority} ${exchange}.`);
	const host = record.value.replace(/^\d+ /, '').replace(/\.$/, '');
	const own = answer.values.find(({ exchange }) => exchange === host);
	if (own === undefined) {
		return judged(
			record,
			mismatch('Found an MX that does not lead to this server: bounces go elsewhere. Put this record in its place.'),
			found
		);
	}
	if (answer.values.some((each) => each.exchange !== host && each.priority <= own.priority)) {
		return judged(
			record,
			mismatch(
				'Found other MX hosts of the same or a better preference: some bounces go elsewhere. Leave only this record.'
			),
			found
		);
	}
	const addresses = await Promise.all([lookup.a(host), lookup.aaaa(host)]);
	if (addresses.some(({ state }) => state === 'found')) return judged(record, ok(), found);
	if (addresses.some(({ state }) => state === 'failed')) {
		return judged(
			record,
			{ status: 'unknown', advice: `The MX is right, but the address of ${host} could not be looked up. Check again.` },
			found
		);
	}
	return judged(
		record,
		mismatch(`The MX is right, but ${host} has no A or AAAA record: bounces cannot arrive. Publish its address.`),
		found
	);
}

async function checkAddress(record: ExpectedRecord, lookup: DnsLookup): Promise<CheckedRecord> {
	const answer = await addressesOf(record.name, record.value, lookup);
	if (answer.state !== 'found') return judgedEmpty(record, answer);
	if (answer.values.some((address) => canonicalAddress(address) === record.value))
		return judged(record, ok(), answer.values);
	return judged(
		record,
		mismatch(
			`${record.name} leads to another address than ${record.value}. Add this record, or put it in place of what is there.`
		),
		answer.values
	);
}

/** Forward-confirmed: the name must lead back to the address, or receivers take it for a forgery (RFC 8601 2.7.3). */
async function checkPtr(record: ExpectedRecord, lookup: DnsLookup): Promise<CheckedRecord> {
	const answer = await lookup.ptr(record.name);
	if (answer.state !== 'found') return judgedEmpty(record, answer);
	const found = answer.values.map((name) => `${name}.`);
	const host = record.value.replace(/\.$/, '');
	const address = addressOfReverseName(record.name) ?? '';
	if (!answer.values.includes(host)) {
		return judged(
			record,
			mismatch(
				`Found another reverse name for ${address}: many receivers refuse or mistrust mail whose greeting differs. Ask whoever gave you the address to set this one.`
			),
			found
		);
	}
	const forward = await addressesOf(host, address, lookup);
	if (forward.state === 'failed') return judged(record, unknown(forward.reason), found);
	if (forward.state === 'found' && forward.values.some((each) => canonicalAddress(each) === address)) {
		const several =
			answer.values.length > 1
				? 'There are several reverse names; some receivers look at one of them only. Leave only this one.'
				: '';
		return judged(record, ok(several), found);
	}
	return judged(
		record,
		mismatch(`The reverse name is right, but ${host} does not lead back to ${address}. Publish its address record.`),
		found
	);
}

function addressesOf(name: string, address: string, lookup: DnsLookup): Promise<Answer<string>> {
	return address.includes(':') ? lookup.aaaa(name) : lookup.a(name);
}

function judgedEmpty(record: ExpectedRecord, answer: Answer<unknown>): CheckedRecord {
	const verdict = withoutValues(record, answer);
	if (verdict === undefined) throw new Error('An answer with values was taken for an empty one.');
	return judged(record, verdict);
}
