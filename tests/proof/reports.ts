import fc from 'fast-check';
import { readReport } from '../../src/lib/server/feedback/report/read-report.ts';
import type { PolicyInput } from '../../src/lib/server/policy/input.ts';
import { logRecord } from '../../src/lib/server/policy/lua/log-record.ts';
import { start } from '../../src/lib/server/policy/lua/session.ts';
import { openPolicy } from '../../src/lib/server/policy/lua/vm.ts';
import type { Injected, Policy } from '../../src/lib/server/policy/lua/vm.ts';
import { proofEstate } from './estate.ts';
import { hostileText } from './hostile-text.ts';
import { createRandom } from './random.ts';
import type { Random } from './random.ts';
import { renderRevision } from './revision.ts';

export interface ReportProof {
	envelopes: number;
	/** Reports that were made. */
	reported: number;
	findings: { envelope: Envelope; what: string }[];
}

interface Envelope {
	type: string;
	sender: string;
	/** Whether a sender of ours gave us the message. */
	isOurs: boolean;
	contentType: string;
	header: string;
	recipient: string;
	diagnostic: string;
}

/** A Lua in wasm is made anew long before it has served too many. */
const perPolicy = 500;

/** Failures of messages with hostile envelopes: who is told of each, against what the panel's data says. */
export async function proveReports(seed: number, count: number): Promise<ReportProof> {
	const input = proofEstate({ domains: 60, senders: 600 });
	const revision = renderRevision(input);
	const expected = openAccounts(input);
	const result: ReportProof = { envelopes: 0, reported: 0, findings: [] };
	try {
		const envelopes = fc.sample(envelopesOf(input), { seed, numRuns: count });
		for (let at = 0; at < envelopes.length; at += perPolicy) {
			const policy = await openPolicy(revision.directory);
			try {
				start(policy);
				for (const envelope of envelopes.slice(at, at + perPolicy)) judge(policy, envelope, { expected, result });
				for (const what of policy.observed().logs)
					result.findings.push({ envelope: envelopes[at] as Envelope, what: `one of ${perPolicy} logged ${what}` });
			} finally {
				policy.close();
			}
		}
	} finally {
		revision.remove();
	}
	return result;
}

/** Drawn by fast-check, spoiled by a generator that one of its numbers seeds. */
function envelopesOf(input: PolicyInput): fc.Arbitrary<Envelope> {
	const texts = fc.string({ unit: 'binary', maxLength: 40 });
	return fc.tuple(fc.integer(), texts, texts).map(([seed, one, other]) => {
		const random = createRandom(seed);
		const spoiled = (right: string) => (random.chance(70) ? right : hostileText(random, right)).toWellFormed();
		return {
			type: random.pick(['Bounce', 'Bounce', 'Expiration', 'Expiration', 'AdminBounce', 'TransientFailure', one]),
			sender: spoiled(senderOf(random, input, one.toWellFormed())),
			isOurs: random.chance(85),
			contentType: random.pick(['text/html', 'text/html', 'multipart/report; report-type=delivery-status', other]),
			header: spoiled(other),
			recipient: spoiled('gone@example.net'),
			diagnostic: spoiled('no such user')
		};
	});
}

function senderOf(random: Random, input: PolicyInput, text: string): string {
	const account = random.pick(input.mailboxes).address;
	const [local = '', host = ''] = account.split('@');
	const domain = random.pick(input.domains);
	return random.pick([
		account,
		account,
		account.toUpperCase(),
		`${local}+${random.below(1000)}@${host}`,
		`${local}+a=b@c@${host}`,
		`"${local}"@${host}`,
		`${text}@${host}`,
		`v=${random.below(1000)}=a=example.net@${domain.bounceHost}`,
		`${local}@${domain.bounceHost}`,
		`${local}@x.${host}`,
		`${account}.`,
		`victim@example.net, ${account}`,
		random.pick(input.senders).address,
		'victim@example.net',
		'postmaster',
		text,
		''
	]);
}

const lower = (text: string) => text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());

/** The account that a return path belongs to, by policy.md 4.7 and nothing of the program. */
function openAccounts({ domains, mailboxes }: PolicyInput) {
	const enabled = mailboxes.filter(({ enabled: isEnabled }) => isEnabled);
	const accounts = new Set(enabled.map(({ address }) => address));
	const hosts = new Map(domains.map((domain) => [domain.bounceHost, domain]));
	return {
		accounts,
		of(path: string): string | undefined {
			const at = path.lastIndexOf('@');
			const domain = hosts.get(lower(path.slice(at + 1)));
			if (at < 0 || domain === undefined || !domain.reportFailures) return undefined;
			const local = lower(path.slice(0, at));
			const [untagged = ''] = local.includes('@') ? [local] : local.split('+');
			const found = [local, untagged].map((each) => `${each}@${domain.bounceHost}`).find((each) => accounts.has(each));
			if (found !== undefined) return found;
			const own = enabled.filter(({ domainId }) => domainId === domain.id);
			return domain.acceptAnyReturnPath && own.length === 1 ? own[0]?.address : undefined;
		}
	};
}

function judge(
	policy: Policy,
	envelope: Envelope,
	{ expected, result }: { expected: ReturnType<typeof openAccounts>; result: ReportProof }
): void {
	const find = (what: string) => result.findings.push({ envelope, what });
	result.envelopes += 1;
	const { isOurs, type, contentType, sender } = envelope;
	const isDue =
		isOurs && ['Bounce', 'Expiration'].includes(type) && sender !== '' && !/^\s*multipart\/report/i.test(contentType);
	const account = isDue ? expected.of(sender) : undefined;
	const reports = failureOf(policy, envelope, find);
	result.reported += reports.length;
	for (const report of reports) {
		for (const recipient of report.recipients)
			if (!expected.accounts.has(recipient)) find(`a report to ${recipient}, which is no enabled account`);
		if (!/^[a-z0-9]{16}\.mailbox\.internal$/.test(report.queue)) find(`a report into the queue ${report.queue}`);
		if (report.sender !== '') find(`a report from ${report.sender}`);
		for (const what of flawsOf(report)) find(what);
	}
	const told = reports.flatMap(({ recipients }) => recipients).join(' ');
	if (told !== (account ?? '')) find(`told ${told || 'nobody'}, expected ${account ?? 'nobody'}`);
}

function failureOf(policy: Policy, envelope: Envelope, find: (what: string) => void): Injected[] {
	const { type, sender, isOurs, contentType, header, recipient, diagnostic } = envelope;
	const message = policy.newMessage({
		sender,
		recipients: ['gone@example.net'],
		headers: [
			['Subject', header],
			['Content-Type', contentType],
			['Message-ID', '<1@example.com>']
		],
		meta: isOurs ? { x_sender: 's1' } : {}
	});
	const value = logRecord({ type, sender, recipient, response: { code: 550, content: diagnostic } });
	const outcome = policy.call(
		'log_disposition_kumomta_ui',
		{ kind: 'message', value: message },
		{ kind: 'record', value }
	);
	if (outcome.kind !== 'value') find(`the handler broke off: ${JSON.stringify(outcome)}`);
	return policy.takeInjected();
}

/** RFC 5322 section 2.1.1, RFC 3464 as the panel's own reader takes it. */
function* flawsOf({ data }: Injected): Generator<string> {
	const text = data.toString('latin1');
	if (text.split('\r\n').some((line) => line.length > 998 || /[\r\n\0]/.test(line)))
		yield 'a line that no server takes';
	if ((text.match(/^--report-[0-9a-f]{32}/gm) ?? []).length !== 4) yield 'parts that are not three';
	const { kind, shape, recipients } = readReport(data);
	if (kind !== 'delivery' || shape !== 'rfc3464' || recipients.length > 1) yield `read as ${kind} ${String(shape)}`;
}

export const reportProofText = ({ envelopes, reported, findings }: ReportProof, seed: number) =>
	`${envelopes} failures with hostile envelopes, seed ${seed}: ${reported} reported, ${findings.length} findings\n`;
