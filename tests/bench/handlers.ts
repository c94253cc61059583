import { performance } from 'node:perf_hooks';
import { start } from '../../src/lib/server/policy/lua/session.ts';
import { openPolicy } from '../../src/lib/server/policy/lua/vm.ts';
import type { Argument, Policy } from '../../src/lib/server/policy/lua/vm.ts';
import type { PolicyInput } from '../../src/lib/server/policy/input.ts';
import { passwordOf, proofEstate } from '../proof/estate.ts';
import { renderRevision, writeKeys } from '../proof/revision.ts';
import { writeSuppression } from '../support/suppression-files.ts';
import type { SuppressionRow } from '../support/suppression-files.ts';
import type { Measurement } from './measurement.ts';

const sizes = [
	{ domains: 2, senders: 10, suppressed: 10 },
	{ domains: 10_000, senders: 100_000, suppressed: 1_000_000 }
] as const;
const messages = 300;
/** At 100,000 senders a handler may cost at most this often what it costs at 10: the look-up is by key. */
const ratioBudget = 2;
/** Microseconds below which a ratio is noise. */
const noise = 100;

type Times = Map<string, number[]>;

/**
 * Microseconds of each handler in the double, look-ups in directory.sqlite and in the suppression lists (10 and a million
 * addresses) included: every message is of another sender and to another recipient,
 * ten minutes after the last one, so that the lists' files are opened anew for each.
 */
export async function benchHandlers(): Promise<Measurement[]> {
	const runs: Map<string, { p50: number; p95: number }>[] = [];
	for (const size of sizes) runs.push(summaries(await measure(proofEstate(size), size.suppressed)));
	const [small, large] = runs as [(typeof runs)[number], (typeof runs)[number]];
	return [...small].flatMap(([name, few]) => {
		const many = large.get(name) ?? few;
		const each = (what: string, measured: number): Measurement => ({
			name: `${name}: ${what}`,
			budget: null,
			measured,
			unit: 'µs'
		});
		return [
			each('p50 at 10 senders', few.p50),
			each('p95 at 10 senders', few.p95),
			each('p50 at 100,000 senders', many.p50),
			each('p95 at 100,000 senders', many.p95),
			{
				name: `${name}: p50 at 100,000 against 10 senders`,
				budget: ratioBudget,
				measured: Math.max(many.p50, noise) / Math.max(few.p50, noise),
				unit: '×'
			}
		];
	});
}

/** Suppressed recipients, in the order in which a file is written. */
function* suppressedRows(count: number): Generator<SuppressionRow> {
	for (let number = 0; number < count; number += 1)
		yield [`a${String(number).padStart(8, '0')}@example.net`, number % 2 ? '' : 'd00000.example', 'hard-bounce'];
}

async function measure(input: PolicyInput, suppressed: number): Promise<Times> {
	const revision = renderRevision(input);
	writeSuppression(revision.suppression, { base: suppressedRows(suppressed) });
	writeKeys(revision.dkim, input);
	const policy = await openPolicy(revision.directory);
	const times: Times = new Map();
	try {
		start(policy);
		// The first calls compile statements and open files; a server does that once per Lua context.
		for (let number = 0; number < messages + 20; number += 1)
			oneMessage(policy, input, number, number < 20 ? new Map() : times);
	} finally {
		policy.close();
		revision.remove();
	}
	return times;
}

const text = (value: string): Argument => ({ kind: 'text', value });
const address = (value: string): Argument => ({ kind: 'address', value });

/** The events of one submitted message, one received report and their queues, in KumoMTA's order. */
function oneMessage(policy: Policy, input: PolicyInput, number: number, times: Times): void {
	const run = (name: string, event: string, ...args: Argument[]) => {
		const started = performance.now();
		policy.call(event, ...args);
		times.set(name, [...(times.get(name) ?? []), (performance.now() - started) * 1000]);
	};
	const { senders, domains } = input;
	const usable = ({ status, verifier }: PolicyInput['senders'][number]) =>
		status === 'enabled' && verifier?.iterations === 1;
	const at = (number * 7919) % senders.length;
	const sender = senders.slice(at).find(usable) ?? senders.find(usable);
	// Another domain than the sender's: a look-up that is not cached yet.
	const others = [0, 1].map((step) => domains[(number * 104_729 + step) % domains.length]);
	const domain = others.find((each) => each?.id !== sender?.domainId);
	if (sender === undefined || domain === undefined) throw new Error('The estate has no usable sender.');
	policy.clock.seconds += 600;
	const submission = connection(policy, 'submission', `198.51.100.${number % 250}`);
	run(
		'AUTH',
		'smtp_server_auth_plain',
		text(sender.address),
		text(sender.address),
		text(passwordOf(sender.address)),
		submission
	);
	policy.setConnectionMeta(submission.value, 'authn_id', sender.address);
	run('MAIL FROM', 'smtp_server_mail_from', address(sender.address), submission);
	run('relay grant', 'get_listener_domain', text(sender.address.split('@')[1] ?? ''), text('x'), submission);
	run('RCPT TO', 'smtp_server_rcpt_to', address(`b${number * 104_729}@example.net`), submission);
	const message = policy.newMessage({
		sender: sender.address,
		recipients: ['a@example.net'],
		headers: [['From', sender.address]]
	});
	run('DATA', 'smtp_server_data', { kind: 'message', value: message }, submission);
	run('queue', 'get_queue_config', text('example.net'), text(sender.tenant));
	run('rate', 'throttle_insert_ready_queue', { kind: 'message', value: message });
	run('pool', 'get_egress_pool', text('main'));
	const inbound = connection(policy, 'inbound', '203.0.113.9');
	const recipient = `v=${number}@${domain.bounceHost}`;
	run('bounce host', 'get_listener_domain', text(domain.bounceHost), text('x'), inbound);
	run('RCPT at a bounce host', 'smtp_server_rcpt_to', address(recipient), inbound);
	const report = policy.newMessage({
		sender: '',
		recipients: [recipient],
		headers: [['Content-Type', 'multipart/report; report-type=delivery-status']]
	});
	run('report', 'smtp_server_message_received', { kind: 'message', value: report }, inbound);
}

function connection(
	policy: Policy,
	purpose: string,
	peer: string
): Extract<Argument, { kind: 'connection' | 'message' }> {
	return { kind: 'connection', value: policy.newConnection({ x_purpose: purpose, received_from: `${peer}:40000` }) };
}

function summaries(times: Times) {
	const at = (sorted: number[], part: number) => sorted[Math.floor(sorted.length * part)] ?? 0;
	return new Map(
		[...times].map(([name, list]) => {
			const sorted = list.toSorted((a, b) => a - b);
			return [name, { p50: at(sorted, 0.5), p95: at(sorted, 0.95) }];
		})
	);
}
